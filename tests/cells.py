"""A notebook's cells run in this process, strictly: a kernel for each would cost more than all of them."""

from pathlib import Path

from vctlib import results
from vctlib.parameters import check_parameters, declared_parameters
from vctlib.run import read_cells

ROOT = Path(__file__).parents[1]


def run_cells(name: str, monkeypatch, **given) -> tuple[dict, dict]:
    """The variables that notebook `name` leaves behind with these parameters (`out` among them), and its metrics."""
    monkeypatch.setattr("myst_nb.glue", lambda name, value, display: None)
    path = ROOT / "notebooks" / f"{name}.ipynb"
    cells = read_cells(path)
    values = check_parameters(path, declared_parameters(path, cells), given)
    names = {"__name__": name}
    for cell in (cell for cell in cells if cell["cell_type"] == "code"):
        exec(compile("".join(cell["source"]), f"{name}:{cell['id']}", "exec"), names)
        if "parameters" in cell["metadata"].get("tags", []):
            names |= values
    return names, results.read(Path(given["out"]) / "results" / f"{name}.json").metrics
