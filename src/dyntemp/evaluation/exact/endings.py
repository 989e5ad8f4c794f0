"""The tokens that write an item's answers: the rows on the way, the tokens that end an answer there, and the detours.

Rows are read after every beginning of the usual tokens of an answer, and of an answer with a stop text. An answer is
written by any tokens whose beginnings are all among these: its last token may straddle the answer and the stop text.
The first token that leaves these beginnings and still spells the answer is a detour: the probability of all detours is
the most that the answers written in other tokens can add.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dyntemp.evaluation.task import Item
from dyntemp.generation.prompts import Prompt, encode
from dyntemp.models import Model, full_bytes

Path = tuple[int, ...]
"""Tokens generated so far."""


class Pieces:
    """The bytes of a model's tokens, for look-ups by their beginnings."""

    def __init__(self, model: Model) -> None:
        self.of = [model.token_bytes(token) for token in range(model.vocabulary)]
        self._sorted = sorted((piece, token) for token, piece in enumerate(self.of) if piece)
        self._tokens: dict[bytes, list[int]] = defaultdict(list)
        for piece, token in self._sorted:
            self._tokens[piece].append(token)
        ends = model.end_tokens
        self.silent = [token for token, piece in enumerate(self.of) if not piece and token not in ends]
        """Tokens that add no text and do not end it."""

    def text(self, path: Sequence[int]) -> bytes:
        """The text of some tokens."""
        return b"".join(self.of[token] for token in path)

    def beginning_with(self, text: bytes) -> list[int]:
        """The tokens whose text begins with `text`."""
        at, found = bisect_left(self._sorted, (text, -1)), []
        while at < len(self._sorted) and self._sorted[at][0].startswith(text):
            found.append(self._sorted[at][1])
            at += 1
        return found

    def within(self, text: bytes) -> Iterator[int]:
        """The tokens whose text is a beginning of `text`, and shorter."""
        for size in range(1, len(text)):
            yield from self._tokens.get(text[:size], ())


@dataclass(slots=True)
class Endings:
    """The ways to write the answers of an item.

    Attributes:
        prompt: The tokens of its prompt.
        paths: The beginnings after which a row is read, shorter ones first.
        ends: By beginning and answer: the tokens that end the answer there, or that its text is cut off behind.
        detours: By beginning: the first tokens of detours.
    """

    prompt: Path
    paths: list[Path] = field(default_factory=list)
    ends: dict[tuple[Path, str], set[int]] = field(default_factory=lambda: defaultdict(set))
    detours: dict[Path, set[int]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def of(cls, model: Model, pieces: Pieces, item: Item) -> Endings:
        """The ways to write the answers that the item lists.

        Raises:
            ValueError: For an answer that the model has no tokens for.
            ModelError: For a conversation and a model without a chat template.
        """
        spelling = Spelling(model, pieces, item.prompt)
        found = cls(spelling.prompt)
        stops = {answer: _ending(answer, item.stop) for answer in item.answers}
        paths: set[Path] = {()}
        for answer, ending in stops.items():
            for stop in ending:
                tokens = spelling.tokens(answer + stop)
                last = len(tokens) - bool(stop)
                paths |= {tokens[:count] for count in range(min(last, item.max_tokens - 1) + 1)}
        found.paths = sorted(paths, key=lambda path: (len(path), path))
        for answer, ending in stops.items():
            for stop in ending:
                found._walk(pieces, paths, item, answer, stop, model.end_tokens)
        return found

    def _walk(self, pieces: Pieces, paths: set[Path], item: Item, answer: str, stop: str, end: frozenset[int]) -> None:
        """Follow all tokens that write an answer over `paths`, up to a stop text; without one, to a token of `end`."""
        waiting: list[tuple[Path, bytes]] = [((), (answer + stop).encode())]
        while waiting:
            path, rest = waiting.pop()
            self.detours[path].update(pieces.silent)
            if not rest:
                self.ends[path, answer] |= end
                continue
            finishing = pieces.beginning_with(rest)
            steps = list(pieces.within(rest))
            if stop:
                self.ends[path, answer].update(finishing)
            else:
                exact = [token for token in finishing if pieces.of[token] == rest]
                steps += exact
                if len(path) + 1 == item.max_tokens:  # the text is cut off right behind the answer
                    self.ends[path, answer].update(exact)
            for token in steps:
                if (child := (*path, token)) in paths:
                    waiting.append((child, rest[len(pieces.of[token]) :]))
                elif len(child) < item.max_tokens:
                    self.detours[path].add(token)


@dataclass(slots=True)
class Spelling:
    """The tokens of a prompt, and of texts after it."""

    model: Model
    pieces: Pieces
    given: Prompt
    prompt: Path = ()

    def __post_init__(self) -> None:
        self.prompt = tuple(encode(self.model, self.given, chat=False))

    def tokens(self, text: str) -> Path:
        """The tokens that the model's tokenizer cuts `text` into, where it stands after the prompt.

        Raises:
            ValueError: If there are none that spell it.
        """
        before = self.given if isinstance(self.given, str) else full_bytes(self.model, self.prompt).decode()
        for context in (before, ""):
            base, whole = self.model.encode(context), self.model.encode(context + text)
            tokens = tuple(whole[len(base) :])
            if whole[: len(base)] == base and self.pieces.text(tokens) == text.encode():
                return tokens
        raise ValueError(
            f"the answer {text!r} was given, which {self.model.name} has no tokens for after its prompt: begin it with "
            "the space that stands before it"
        )


def _ending(answer: str, stops: Sequence[str]) -> list[str]:
    """The texts that may follow an answer: none, and each stop text that ends it there; not if it holds a stop text."""
    if any(stop in answer for stop in stops):
        return []
    first = {stop: min((answer + stop).find(one) for one in stops if one in answer + stop) for stop in stops}
    return ["", *(stop for stop in stops if first[stop] == len(answer))]
