"""Shared by tests in a browser: Chromium, and pages whose errors fail the test."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from shutil import which
from typing import Any
from urllib.parse import urlsplit

import pytest

from dyntemp.page.bundle import SCRIPTS
from dyntemp.page.tables import table

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
HERE = ("127.0.0.1", "localhost", "")
"""Hosts that a page may ask; the empty one stands for `file:`, `data:`, `blob:` and `about:`."""

ASK = """async (text) => {
  const load = (name) => import(`/${name}.js`);
  const revived = (key, value) => (value === "inf" ? Infinity : value === "-inf" ? -Infinity : value);
  const plain = (key, value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value);
  const data = JSON.parse(text, revived);
  const answer = async () => { %s };
  return JSON.stringify(await answer(), plain);
}"""
"""A script around a script: JSON in and JSON out, infinities as text."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, without a window.

    Each file has one of its own: while Playwright's event loop is there, no other can run in its thread.
    """
    if find_spec("playwright") is None:
        pytest.skip("needs playwright: pip install playwright")
    path = which("chromium") or which("chromium-browser")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """`open_page(color_scheme="dark", viewport={...})`: a page of a context of its own, watched as `page` is."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(watched(browser, **settings))


@pytest.fixture
def page(open_page: Callable[..., Any]) -> Any:
    """A fresh page at 1280 x 800; the test fails where it meets an error or asks another machine."""
    return open_page(viewport={"width": 1280, "height": 800})


@pytest.fixture
def ask(page: Any) -> Callable[[str, dict[str, Any]], Any]:
    """`ask(script, data)`: what a script returns in a page with `data`, the table and `await load("room/module")`."""

    def answer(route: Any) -> None:
        path = SCRIPTS / urlsplit(route.request.url).path.removeprefix("/")
        if path.suffix == ".js":
            route.fulfill(body=path.read_text(encoding="utf-8"), content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><title>twin</title>", content_type="text/html")

    def run(script: str, data: dict[str, Any]) -> Any:
        return json.loads(page.evaluate(ASK % script, json.dumps({**data, "table": table()}, allow_nan=False)))

    page.route("**/*", answer)
    page.goto("http://127.0.0.1/twin")
    return run


@contextmanager
def watched(browser: Any, **settings: Any) -> Iterator[Any]:
    """A page of a context of its own, made with `settings`; what goes wrong in it is an AssertionError at the end.

    Errors that a test provokes it takes from the list `page.faults` itself.
    """
    context = browser.new_context(**settings)
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(f"page error: {error}"))
    page.on("console", lambda message: _note(page.faults, message))
    page.on("request", lambda request: _ask(page.faults, request.url))
    try:
        yield page
    finally:
        faults = list(page.faults)
        context.close()
    assert not faults, "\n".join(faults)


def _note(faults: list[str], message: Any) -> None:
    if message.type in ("error", "warning"):
        faults.append(f"console {message.type}: {message.text} ({message.location.get('url')})")


def _ask(faults: list[str], url: str) -> None:
    if urlsplit(url).scheme in ("http", "https", "ws", "wss") and urlsplit(url).hostname not in HERE:
        faults.append(f"a request left this machine: {url}")
