"""Stories: texts that go on from a first sentence.

Nothing checks them. They show how diverse and how repetitive the texts of a policy are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dyntemp.evaluation.task import Item, Score, Split
from dyntemp.evaluation.tasks.splits import first_items

SHORTEST = 20
"""Words of the shortest valid text."""


@dataclass
class Stories:
    """First sentences of stories, an item each; see `Task`."""

    name: str = field(default="stories", init=False)
    group: str = field(default="text", init=False)
    metric: str | None = field(default=None, init=False)
    about: str = field(default="Go on with a story; nothing checks it.", init=False)

    def items(self, split: Split, count: int, seed: int = 0) -> list[Item]:
        """The first `count` openings of a split, in an order that the seed decides; see `Task.items`.

        Raises:
            ValueError: If the split has fewer openings.
        """
        found = [_item(kind, opening) for kind, opening in OPENINGS[split]]
        return first_items(self.name, split, found, count, seed)

    def score(self, item: Item, text: str) -> Score:
        """The score of a text: valid if it has `SHORTEST` words or more, never correct, since nothing checks it."""
        del item
        return Score(valid=len(text.split()) >= SHORTEST, correct=False, key="")


def _item(kind: str, opening: str) -> Item:
    return Item(id=opening, cluster=kind, prompt=opening, max_tokens=120)


OPENINGS: dict[Split, tuple[tuple[str, str], ...]] = {
    "tune": (
        ("village", "The baker of our village had not opened his shop for three days, and nobody asked why."),
        ("sea", "Every evening the old lighthouse keeper wrote one line into a blue notebook."),
        ("family", "My grandmother kept a locked drawer in the kitchen, between the spoons and the flour."),
        ("animal", "The fox that crossed our yard each morning had a white tail and no fear of anyone."),
        ("school", "On the first day of school, the new teacher brought a suitcase full of stones."),
        ("machine", "The robot in the repair shop had been asked to sweep, but it preferred to listen."),
        ("journey", "We missed the last train, so we decided to follow the tracks on foot."),
        ("letter", "The letter had been under the floor for forty years when Anna found it."),
    ),
    "val": (
        ("village", "When the well ran dry, the mayor called everyone to the square and took off his hat."),
        ("sea", "The fisherman pulled up his net and found a small wooden door in it."),
        ("family", "My brother and I had not spoken since the summer of the big storm."),
        ("animal", "A grey cat walked into the police station and sat down in front of the desk."),
        ("school", "Nobody in the class knew who had written the poem on the blackboard."),
        ("machine", "The elevator in our building began to stop at a floor that did not exist."),
        ("journey", "The map showed a road through the forest, but the forest did not agree."),
        ("letter", "Dear Mr. Collins, I am writing to return the umbrella that I stole from you."),
    ),
    "test": (
        ("village", "In a village high in the mountains lived a man who repaired broken bells."),
        ("village", "The market was almost empty when a stranger asked for the price of the clock tower."),
        ("village", "After the flood, the people built their houses again, all but one."),
        ("sea", "The captain told us that the island would be gone by noon."),
        ("sea", "A bottle washed up on the beach, and inside it was a photograph of our house."),
        ("sea", "The night the harbor froze, two sailors walked out to a ship that nobody had seen arrive."),
        ("family", "Father came home with a piano, although none of us could play."),
        ("family", "The twins had agreed to change places for just one week."),
        ("family", "At the wedding, my uncle stood up and said that he had something to confess."),
        ("animal", "The parrot had belonged to a judge, and it still had opinions."),
        ("animal", "When the wolves came down to the valley, the shepherd did not send for the hunters."),
        ("animal", "There was an elephant in the town that remembered everyone's name."),
        ("school", "The school play was about to begin, and the king had lost his voice."),
        ("school", "Mina opened her lunch box and found a note that was not meant for her."),
        ("school", "The library stayed open all night once a year, and tonight was the night."),
        ("machine", "The telephone in the empty office rang at the same minute every day."),
        ("machine", "She built a machine that could tell what the weather had been a hundred years ago."),
        ("machine", "The last message from the probe was only four words long."),
        ("journey", "The bus driver turned around and asked if anyone knew the way."),
        ("journey", "Two days into the desert, the youngest of the travelers began to sing."),
        ("journey", "He had packed everything for the trip except the one thing that he needed."),
        ("letter", "I found your diary in the attic, and I am sorry, but I have read it."),
        ("letter", "The postman had carried the same parcel for eleven years."),
        ("letter", "The will was read on a Tuesday, and by Wednesday the house was full of lawyers."),
    ),
}
"""The first sentences of each split, each with its kind."""

STORIES = Stories()
