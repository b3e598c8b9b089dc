"""The floors of vctlib: who may import whom, and the rules that every file keeps."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "vctlib").rglob("*.py"))
MAX_LINES = 300

# Bottom to top; a module imports from its own floor or below. CONTRIBUTING.md tells the reasons.
FLOORS = (
    (
        "anatomy",
        "attributes",
        "cohort_config",
        "config",
        "network_config",
        "errors",
        "files",
        "intensity",
        "manifest",
        "fetch",
        "results",
        "text",
    ),
    ("cohort", "rows", "sources", "measure"),
    ("networks", "losses"),
    ("training", "synthesis", "metrics"),
    ("trial",),
    ("run", "notebook", "parameters", "labextension", "view", "plots", "book", "commands", "__main__"),
)
FLOOR_OF = {module: number for number, modules in enumerate(FLOORS, start=1) for module in modules}
WITHOUT_TORCH = (1, 2, 5)
TORCH_PACKAGES = ("torch", "torchvision", "monai", "accelerate", "efficientnet_lite_pytorch")

WITHOUT_TORCH_CODE = """
import importlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {packages}:
            raise ModuleNotFoundError("no " + name + " here", name=name)

sys.meta_path.insert(0, Absent())
for name in {modules}:
    importlib.import_module(name)
"""


def top_module(path: Path) -> str:
    """`vctlib/measure/mass.py` -> `measure`; the package's own `__init__` is the empty string."""
    first = path.relative_to(ROOT / "vctlib").parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def dotted_name(path: Path) -> str:
    """`vctlib/measure/mass.py` -> `vctlib.measure.mass`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> list[tuple[int, str]]:
    """(line, dotted name) of everything a file imports, inside functions too; `from a import b` counts as `a.b`."""
    package = dotted_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found = []
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [] if node.level == 0 else package[: len(package) - node.level + 1]
            prefix = ".".join(base + ([node.module] if node.module else []))
            found += [(node.lineno, f"{prefix}.{alias.name}") for alias in node.names]
    return found


def may_import(importer: str, imported: str) -> bool:
    """Own floor or below; `trial` works on anybody's predictions and so sees floor 1 only."""
    if importer == imported:
        return True
    if importer == "trial":
        return FLOOR_OF[imported] == 1
    return FLOOR_OF[imported] <= FLOOR_OF[importer]


def test_rule_knows_up_from_down():
    assert may_import("measure", "cohort") and may_import("training", "anatomy") and may_import("run", "trial")
    assert not may_import("anatomy", "cohort") and not may_import("losses", "training")
    assert not may_import("trial", "metrics") and not may_import("trial", "measure")


def test_every_module_has_a_floor():
    unplaced = sorted({top_module(path) for path in FILES} - set(FLOOR_OF) - {""})
    assert not unplaced, f"say in FLOORS on which floor these stand: {', '.join(unplaced)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_no_floor_above(path):
    importer = top_module(path)
    for line, name in imports_of(path):
        parts = name.split(".")
        if parts[0] != "vctlib" or len(parts) == 1 or parts[1] not in FLOOR_OF:
            continue
        assert importer in FLOOR_OF and may_import(importer, parts[1]), (
            f"{path.relative_to(ROOT)}:{line}: {importer or 'vctlib'} may not import {name}"
        )


SCRIPT_WITH_TORCH = "build_template.py"  # run by hand to rebuild the shipped template; no module imports it


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_torch_only_on_its_floors(path):
    if FLOOR_OF.get(top_module(path)) not in (*WITHOUT_TORCH, None) or path.name == SCRIPT_WITH_TORCH:
        return
    for line, name in imports_of(path):
        assert name.split(".")[0] not in TORCH_PACKAGES, f"{path.relative_to(ROOT)}:{line}: imports {name}"


def test_imports_without_torch():
    """Floors 1, 2 and 5 really import on a machine that has no torch."""
    modules = [dotted_name(path) for path in FILES if FLOOR_OF.get(top_module(path)) in WITHOUT_TORCH]
    code = WITHOUT_TORCH_CODE.format(packages=TORCH_PACKAGES, modules=modules)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "path",
    [*FILES, *sorted((ROOT / "tests").rglob("*.py")), *(ROOT / "notebooks").glob("Snakefile")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_file_is_short(path):
    lines = len(path.read_text().splitlines())
    assert lines <= MAX_LINES, f"{path.relative_to(ROOT)} has {lines} lines; look for the seam before {MAX_LINES}"


def _is_true(call: ast.Call, argument: str) -> bool:
    return any(k.arg == argument and isinstance(k.value, ast.Constant) and k.value.value is True for k in call.keywords)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_loads_nothing_that_runs_code(path):
    """No pickle in any disguise: a file of weights or data must not be able to run code."""
    for line, name in imports_of(path):
        assert name.split(".")[0] not in ("pickle", "dill", "cloudpickle", "joblib"), f"{path.name}:{line}: {name}"
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        assert not _is_true(node, "allow_pickle"), f"{path.name}:{node.lineno}: {called} with allow_pickle"
        assert called != "torch.load" or _is_true(node, "weights_only"), f"{path.name}:{node.lineno}: unsafe torch.load"
        assert not called.endswith("read_pickle"), f"{path.name}:{node.lineno}: {called}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_progress_is_plain_text(path):
    """`tqdm.auto` leaves widget state in a notebook, which pulls JavaScript from the network into the book."""
    for line, name in imports_of(path):
        assert name.split(".")[0] != "tqdm" or name.startswith("tqdm.std"), f"{path.name}:{line}: use tqdm.std"
