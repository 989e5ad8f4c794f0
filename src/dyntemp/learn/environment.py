"""An environment of Gymnasium, in which a learner of one's own chooses the temperature of every token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, log
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from dyntemp.distribution.filters import Filters, check_fixed
from dyntemp.evaluation.loop_runner import item_tokens
from dyntemp.evaluation.task import Item, Score, Task
from dyntemp.generation.stepwise import StepwiseTexts
from dyntemp.language.interval import Interval
from dyntemp.language.nodes import Signal
from dyntemp.language.parse import parse
from dyntemp.language.signals import SIGNALS
from dyntemp.models import Model
from dyntemp.sampling import measurable, measure
from dyntemp.signals import position
from dyntemp.traces.settings import Settings

Numbers = NDArray[np.float32]
"""An observation, [signals], or an action, [1]."""

Reward = Callable[[Item, str, Score], float]
"""The reward of a text, from its item, the text and its score."""


class TemperatureEnvironment(gymnasium.Env[Numbers, Numbers]):
    """Texts of a model, where every action is ln T of the next token.

    An episode is one text to one item of a task. An observation is the signals of the row that the next token is drawn
    from. The reward is 0 until the text ends. An episode is terminated where the model or a stop text ended the text,
    and truncated where `max_tokens` or the context cut it; both are scored. No row follows the last token, so that the
    last observation comes again.

    A text follows from its item, the seed and the actions. The n-th text after `reset(seed=s)`, from 0, has the noise
    of a `Job` with the seed s and the request n. The seed chooses the items too.

    `info` of a step has `token`, `text` (what the token adds), `temperature`, `surprisal` (-ln of its probability in
    the model, nats), `log_prob` (ln of its probability in the draw) and `slope`. The slope is the derivative of
    `log_prob` with respect to ln T: the token's surprisal in the draw less the entropy of the draw. At the end it has
    `written` (the text), `finish` (`end`, `stop` or `length`) and `score` too. `info` of a reset has `item`, `seed` and
    `request`.

    Args:
        model: A model from `load_model`, or any object that meets `dyntemp.models.Model`.
        task: The task that scores the texts.
        items: Items of the task.
        signals: The signals that are observed, or their texts: those that a row determines, and `position`.
        low: The lowest temperature, above 0.
        high: The highest temperature.
        filters: Filters of the draw, before the temperature: `"min_p(0.05)"`.
        reward: The reward of a text; by default 1 for a correct one and 0 for another.
        backend: `cpu` or `reference`.

    Raises:
        ValueError: For no items or signals, items with equal ids, temperatures out of order, or filters after the
            temperature.
        PolicyError: For a signal that comes from elsewhere.
    """

    def __init__(
        self, model: Model, task: Task, items: Sequence[Item], signals: Sequence[Signal | str], *, low: float = 0.1,
        high: float = 3.0, filters: Filters | str = "", reward: Reward | None = None, backend: str = "cpu",
    ) -> None:  # fmt: skip
        if not 0 < low < high < inf:
            raise ValueError(f"temperatures from {low} to {high} were given; allowed are 0 < low < high, both finite")
        self.items = {item.id: item for item in items}
        if not items or len(self.items) < len(items):
            raise ValueError(f"{len(items)} items with {len(self.items)} ids were given; give some, with an id each")
        if not signals:
            raise ValueError("no signals were given; name one at least, such as `entropy`")
        self.signals = tuple(map(_observable, signals))
        self._filters = Filters.read(filters) if isinstance(filters, str) else filters
        check_fixed(self._filters, "an environment")
        self._model, self._task, self._backend = model, task, backend
        self._reward = reward or (lambda item, text, score: float(score.correct))
        support = Interval(1.0, float(model.vocabulary))
        bounds = [SIGNALS[signal.name].bounds(support, *signal.arguments) for signal in self.signals]
        self.observation_space = gymnasium.spaces.Box(*np.array(bounds, np.float32).T)
        self.action_space = gymnasium.spaces.Box(*np.array([[log(low)], [log(high)]], np.float32))
        self._texts = StepwiseTexts(model, self.action_space.low.item(), self.action_space.high.item())
        self._number = -1

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Numbers, dict[str, Any]]:
        """Begin a text.

        Args:
            seed: Seed of this text and of those after it; None goes on. Its low 64 bits are the key of the noise.
            options: `{"item": id}` chooses the item; otherwise chance does.

        Raises:
            ValueError: For another option, or an item that is not there.
            ModelError: For a prompt that does not fit into the context, or if the model fails.
            InvalidLogitsError: For a broken row of logits.
        """
        super().reset(seed=seed)
        self._number = 0 if seed is not None else self._number + 1
        self._item = item = self._chosen(options or {})
        settings = Settings(
            seed=self.np_random_seed % 2**64, max_tokens=item.max_tokens, stop=item.stop, filters=self._filters,
            alternatives=0, backend=self._backend,
        )  # fmt: skip
        self._texts.begin(item_tokens(self._model, item), settings, self._number)
        self._seen = self._observation(0)
        return self._seen.copy(), {"item": item.id, "seed": settings.seed, "request": self._number}

    def step(self, action: Numbers) -> tuple[Numbers, float, bool, bool, dict[str, Any]]:
        """Draw the next token at T = exp(action).

        Args:
            action: ln T, float32 [1], inside the action space.

        Raises:
            ResetNeeded: If no text has begun, or it has ended.
            ValueError: For an action outside the action space.
            ModelError: If the model fails.
            InvalidLogitsError: For a broken row of logits.
        """
        if self._texts.sequence is None:
            raise ResetNeeded("the text has ended, or none has begun: call reset() first")
        token = self._texts.draw(self._log_temperature(action))
        info = {
            "token": token.token,
            "text": token.text,
            "temperature": token.temperature,
            "surprisal": token.surprisal,
            "log_prob": -token.surprisal_after,
            "slope": token.surprisal_after - token.entropy_after,
        }
        if not token.finish:
            self._seen = self._observation(token.position + 1)
            return self._seen.copy(), 0.0, False, False, info
        score = self._task.score(self._item, self._texts.text)
        info |= {"written": self._texts.text, "finish": token.finish, "score": score}
        reward, cut = float(self._reward(self._item, self._texts.text, score)), token.finish == "length"
        return self._seen, reward, not cut, cut, info

    def close(self) -> None:
        """Free the memory of the texts. May be called again."""
        self._texts.close()

    def _chosen(self, options: dict[str, Any]) -> Item:
        """The item of the next text."""
        if unknown := options.keys() - {"item"}:
            raise ValueError(f"the options {', '.join(sorted(unknown))} were given; `item` is allowed")
        name = options.get("item")
        if name is None:
            return list(self.items.values())[self.np_random.integers(len(self.items))]
        if name not in self.items:
            raise ValueError(f"the item {name!r} was given; there are {', '.join(self.items)}")
        return self.items[name]

    def _observation(self, at: int) -> Numbers:
        """The signals of the row of this position."""
        measured = [signal for signal in self.signals if signal != position]
        found = measure(self._texts.logits, *measured, backend=self._backend)
        values = [at if signal == position else found[str(signal)].item() for signal in self.signals]
        return np.array(values, np.float32)

    def _log_temperature(self, action: Any) -> float:
        """The number of an action, if it is allowed."""
        numbers = np.asarray(action, np.float32)
        if not self.action_space.contains(numbers):
            low, high = self.action_space.low.item(), self.action_space.high.item()
            raise ValueError(
                f"the action {action!r} was given; allowed is one number in an array, ln T from {low:.6g} to "
                f"{high:.6g}: clip it, or wrap the environment in gymnasium.wrappers.ClipAction"
            )
        return numbers.item()


def _observable(signal: Signal | str) -> Signal:
    """The signal itself, or the one of this text, if it is `position` or a row alone determines it."""
    found = parse(signal) if isinstance(signal, str) else signal
    return position if found == position else measurable(signal)
