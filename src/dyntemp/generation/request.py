"""A request: one sequence to generate, with its policy and its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dyntemp.distribution.filters import check_fixed
from dyntemp.generation.recorded import RecordedSequence
from dyntemp.language.nodes import Signal
from dyntemp.language.policy import Policy
from dyntemp.models.hidden import HiddenFunction
from dyntemp.traces.row_record import RECORDED
from dyntemp.traces.settings import Leader, Settings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """One sequence to generate.

    Attributes:
        prompt: The tokens of the prompt.
        policy: The policy that gives the temperatures.
        settings: Seed, limits, filters and values that the policy reads.
        number: 32 bits that tell the requests of one seed apart; its records carry this number.
        signals: Signals that each record holds beside those of the policy.
        record: A record to fill with the drawn tokens, for other requests to follow.
        leader: The record of the sequence that this one is coupled to, which began with the same tokens. While both
            agree, this one keeps the leader's token as often as its own distribution allows, and forced tokens of the
            leader are forced here too. See `dyntemp.distribution.coupling`.
        contrast: The tokens of a second prompt, where the policy reads `divergence`. The model reads it beside the
            first one, and the same tokens continue both.
        functions: Functions of the model's hidden state, by the name of the `given("name", low, high)` that reads their
            numbers; see `dyntemp.models.hidden`.
        curves: Whether each record holds the curve of its draw; see `dyntemp.distribution.draw_curve`.

    Raises:
        ValueError: For curves under filters that leave other entries at another temperature or in another draw.
    """

    prompt: Sequence[int]
    policy: Policy
    settings: Settings
    number: int = 0
    signals: tuple[Signal, ...] = RECORDED
    record: RecordedSequence | None = None
    leader: RecordedSequence | None = None
    contrast: Sequence[int] | None = None
    functions: Mapping[str, HiddenFunction] = field(default_factory=dict)
    curves: bool = False

    def __post_init__(self) -> None:
        if self.curves:
            check_fixed(self.settings.filters, "the curve of a draw")

    @property
    def prefix(self) -> list[int]:
        """Tokens that the model reads before the first draw.

        Tokens in `begin` are among them, except where the policy remembers: its memory takes them in one by one.
        """
        return [*self.prompt, *self._begun]

    @property
    def contrast_prefix(self) -> list[int] | None:
        """As `prefix`, of the second prompt; None without one."""
        return None if self.contrast is None else [*self.contrast, *self._begun]

    @property
    def _begun(self) -> Sequence[int]:
        return () if self.policy.remembers else self.settings.begin

    @property
    def batch_key(self) -> tuple[Any, ...]:
        """Equal for requests whose rows one call of a kernel can draw."""
        settings = self.settings
        read = (*sorted(settings.given), *sorted(self.policy.zones))
        return (
            settings.filters, self.signals, tuple(settings.parameters.items()), read, self.contrast is None,
            tuple((name, id(function)) for name, function in sorted(self.functions.items())), self.curves,
        )  # fmt: skip


def coupled(requests: Sequence[Request]) -> list[Request]:
    """The same requests, the first one as the leader of the others."""
    leader, *followers = requests
    record = RecordedSequence(leader.settings.filters, (leader.settings.seed, leader.number))
    follow = Leader(str(leader.policy), leader.settings.seed)
    return [
        replace(leader, record=record),
        *(replace(one, leader=record, settings=replace(one.settings, follow=follow)) for one in followers),
    ]
