"""Steps that take seconds are shown while they run."""

import io
import logging
import sys
import threading

import pytest

from dyntemp.cli import messages


@pytest.fixture
def logger():
    logger = logging.getLogger("dyntemp.test_messages")
    logger.propagate = False  # commands that ran before show the messages of "dyntemp" too
    handler = messages.Announce()
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


class Terminal(io.StringIO):
    """A standard error that says that it is a terminal."""

    def __init__(self, terminal):
        super().__init__()
        self.isatty = lambda: terminal


def test_on_a_terminal_the_seconds_are_counted_until_the_step_has_ended(logger, monkeypatch):
    monkeypatch.setattr(sys, "stderr", shown := Terminal(True))
    monkeypatch.setattr(messages, "TICK", 0.001)
    ended = threading.Event()
    logger.warning("compiling", extra={"ended": ended})
    while shown.getvalue().count("\rcompiling: ") < 3:
        ended.wait(0.001)
    assert not shown.getvalue().endswith("\n")
    ended.set()
    while not shown.getvalue().endswith(" s\n"):
        threading.Event().wait(0.001)


def test_elsewhere_it_is_one_line(logger, monkeypatch):
    monkeypatch.setattr(sys, "stderr", shown := Terminal(False))
    logger.warning("compiling", extra={"ended": threading.Event()})
    logger.warning("another message")
    assert shown.getvalue() == "compiling\nanother message\n"


def test_messages_are_shown_once_however_often_a_command_runs():
    messages.announce()
    messages.announce()
    handlers = logging.getLogger("dyntemp").handlers
    assert 1 == sum(isinstance(handler, messages.Announce) for handler in handlers)
