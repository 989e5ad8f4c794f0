"""Users' own zones, and the names of zones in policies."""

import pytest

from dyntemp.errors import PolicyError
from dyntemp.zones.known import KNOWN
from dyntemp.zones.tracker import ZoneTracker, chosen_zones
from dyntemp.zones.zone import parse_zone


@pytest.mark.parametrize("text", ["note=<note>...</note>", "a1=«...»", "math=$...$", "x==...=", "q= ... "])
def test_a_zone_of_ones_own(text):
    zone = parse_zone(text)
    opening, closing = text.partition("=")[2].split("...")

    assert (zone.name, zone.pairs) == (text.partition("=")[0], {opening: closing})


@pytest.mark.parametrize(("text", "message"), [
    ("note", "a zone is written as its name"),
    ("note=<note>", "a zone is written as its name"),
    ("note=...</note>", "a zone is written as its name"),
    ("note=<note>...", "a zone is written as its name"),
    ("=<a>...</a>", "a zone is written as its name"),
    ("a=b...c...d", "a zone is written as its name"),
    ("a b=<a>...</a>", "the name of a zone has letters"),
    ("1=<a>...</a>", "the name of a zone has letters"),
    ("é=<a>...</a>", "the name of a zone has letters"),
    (f"a={'é' * 51}...x", "at most 100 bytes"),
    (f"{'a' * 101}=x...y", "at most 100 bytes"),
])  # fmt: skip
def test_other_texts_are_refused(text, message):
    with pytest.raises(PolicyError, match=message) as told:
        parse_zone(text)

    assert "note=<note>...</note>" in str(told.value) or "write shorter ones" in str(told.value)


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(PolicyError, match=r"think, answer, tool_call, code, json, block, note\b.*--zone") as told:
        chosen_zones(["think", "thnk"], [parse_zone("note=<note>...</note>")])

    assert 'inside("thnk")' in str(told.value)


def test_ones_own_zone_goes_before_a_known_one():
    tracker = ZoneTracker(chosen_zones(["think", "code"], [parse_zone("think=(...)")]))

    assert tracker.names == ("think", "code")
    assert tracker.inside(tracker.advance(tracker.start, b"(hm")) == (1.0, 0.0)


def test_every_known_zone_says_what_it_is():
    assert all(zone.meaning and name == zone.name for name, zone in KNOWN.items())
