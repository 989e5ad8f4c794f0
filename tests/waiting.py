"""Waits for what another process does, however slow the machine is; pytest's own timeout ends what hangs."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path


def wait_until(
    happened: Callable[[], bool], process: "subprocess.Popen[str] | subprocess.Popen[bytes]", log: Path | None = None
) -> None:
    """Return once `happened()` is true.

    Raises:
        AssertionError: If `process` ends before; with the end of its `log`, where there is one.
    """
    while not happened():
        if process.poll() is not None:
            told = log.read_text(encoding="utf-8")[-3000:] if log else ""
            raise AssertionError(f"the process ended first, with {process.returncode}\n{told}")
        time.sleep(0.02)
