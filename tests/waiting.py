"""Waits for what another process does, however slow the machine is; pytest's own timeout ends what hangs."""

import subprocess
import time
from collections.abc import Callable


def wait_until(happened: Callable[[], bool], process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    """Return once `happened()` is true.

    Raises:
        AssertionError: If `process` ends before.
    """
    while not happened():
        assert process.poll() is None, f"the process ended first, with {process.returncode}"
        time.sleep(0.02)
