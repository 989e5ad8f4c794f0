"""The part of the suite for adapters that is about policies that read zones of the text."""

from __future__ import annotations

from abc import ABC, abstractmethod

from dyntemp.testing.checks import check_row, refuses, some_rows
from dyntemp.testing.fake_host import Asked, FakeHost
from dyntemp.testing.spelling import TEXTS, token_of

HOT, COLD = 1.5, 0.25


def policy_of(zone: str) -> str:
    """A policy that is hot in a zone."""
    return f'where(inside("{zone}") > 0.5, {HOT}, {COLD})'


def expected(text: str, zone: str) -> float:
    """The temperature behind a text whose delimiters are whole."""
    return HOT if text.count(f"<{zone}>") > text.count(f"</{zone}>") else COLD


class ZoneSuite(ABC):
    """Tests that every adapter passes; see `EngineSuite`."""

    @abstractmethod
    def make_host(self) -> FakeHost:
        """A host without running requests."""

    def test_a_delimiter_counts_however_tokens_cut_it(self) -> None:
        """Cut at every byte, in the prompt and behind it; or else the policy is refused."""
        host, (text, _) = self.make_host(), TEXTS
        if not host.capabilities.zones:
            refuses(host, policy_of("think"), "does not tell the tokens of the text in time")
            return
        for cut in range(1, len(text) - 1):
            prompt, *pieces = text[:cut], text[cut], text[cut + 1 :]
            if not pieces[-1]:
                pieces.pop()
            (request,) = host.begin([Asked(policy_of("think"), tokens=(token_of(prompt),))])
            for piece in [*pieces, ""]:
                _check(host, {request: expected(prompt, "think")})
                if piece:
                    host.draw({request: token_of(piece)})
                    prompt += piece
            host.finish(request)
            host = self.make_host() if not host.joins else host

    def test_each_request_is_in_the_zones_of_its_own_text(self) -> None:
        """Beside others, with known zones and a user's own, after reordering, and when positions are run again."""
        host = self.make_host()
        if not host.capabilities.zones or host.batch < 2:
            return
        zones = ["think", "note", "think"] if host.mixes else ["think"] * 3
        texts = [
            ["a", "<thi", "nk>b", "</think", ">"],
            ["d<note", ">", "e", "</", "note>f"],
            ["a", "b", "c", "a<", "b"],
        ]
        running = host.begin([
            Asked(policy_of(zone), tokens=(token_of(text[0]),)) for zone, text in zip(zones, texts, strict=True)
        ])  # fmt: skip
        for turn in range(1, 6):
            wanted = [expected("".join(text[:turn]), zone) for text, zone in zip(texts, zones, strict=True)]
            for _ in range(1 + turn % 2):
                _check(host, dict(zip(running, wanted, strict=True)))
                host.rearrange()
            if turn < 5:
                host.draw({one: token_of(text[turn]) for one, text in zip(running, texts, strict=True)})

    def test_a_token_that_is_taken_back_leaves_no_zone_open(self) -> None:
        """Nor closed."""
        host = self.make_host()
        if not host.capabilities.zones:
            return
        (request,) = host.begin([Asked(policy_of("think"), tokens=(token_of("a<"),))])
        _check(host, {request: COLD})
        for drafts, kept, found in (
            (["think>", "b"], "thi", COLD),
            (["b"], "nk>", HOT),
            (["</think>", "c"], "</thin", HOT),
            (["b"], "k>c", COLD),
        ):
            for draft in drafts:
                host.draw({request: token_of(draft)})
                _check(host, {request: HOT if draft == "think>" else None})
            if not host.take_back(len(drafts)):
                return
            host.draw({request: token_of(kept)})
            _check(host, {request: found})

    def test_a_zone_that_nobody_defined_is_refused(self) -> None:
        """With those that are defined."""
        if self.make_host().capabilities.zones:
            refuses(self.make_host(), policy_of("nowhere"), "nobody defined; there are think, ")


def _check(host: FakeHost, temperatures: dict[int, float | None]) -> None:
    """Run a step, and check each request's temperature; None for any."""
    rows = dict(zip(temperatures, some_rows(len(temperatures), host.vocabulary), strict=True))
    found = host.step({request: row.copy() for request, row in rows.items()})
    for request, temperature in temperatures.items():
        if temperature is not None:
            check_row(rows[request], found[request], temperature)
