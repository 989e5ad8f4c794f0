"""Checks of traces that were written inside a host, with the commands that read them."""

import pytest

from dyntemp import Trace
from dyntemp.cli import main
from dyntemp.traces.replay_trace import replays


def check_trace(path):
    """The tokens of a trace, which every command reads, and to which its own policy gives their temperatures again."""
    trace = Trace.open(path)
    tokens = list(trace)
    page = path.with_suffix(".html")
    for command in (["explain", path], ["plot", path], ["play", "--html", page, path]):
        assert main([*map(str, command)]) == 0, command
    page.unlink()
    for token, replayed in zip(tokens, replays(trace.header, tokens), strict=True):
        assert token.temperature == pytest.approx(replayed.temperature, rel=1e-6, abs=1e-9)
        assert token.probability_after == pytest.approx(replayed.probability, abs=replayed.error + 1e-6)
    return tokens
