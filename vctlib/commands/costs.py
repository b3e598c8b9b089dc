"""What every step took, as a table of a page: `step-costs` reads it from the result files while the book is built."""

from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx.application import Sphinx

from vctlib.commands.progress import duration
from vctlib.commands.provenance import TRAINING, Provenance, executed_page, page_link, table
from vctlib.results import Result
from vctlib.text import DASH


class StepCosts(Provenance):
    """`:::{step-costs} results/laptop/`: a line for each result file of that folder.

    The slash at the end lets a staged book put another profile in its place.
    """

    final_argument_whitespace = False

    def run(self) -> list[nodes.Node]:
        folder, rows = PurePosixPath(self.arguments[0]), []
        for file in sorted((Path(self.env.srcdir) / folder).glob("*.json")):
            self.env.note_dependency(str(file))
            result = self.read(file)
            link = page_link(self.env, executed_page((folder / file.name).as_posix()), title(file.stem))
            rows.append([link, *(nodes.Text(text) for text in costs(result))])
        return [
            table(("Step", "Profile", "Training", "Last run", "Memory at its peak", "Machine"), rows, "compact wrap")
        ]


def title(name: str) -> str:
    """`12_run_trial` -> `12 Run trial`."""
    number, words = name.split("_", 1)
    return f"{number} {words.replace('_', ' ').capitalize()}"


def costs(result: Result) -> tuple[str, ...]:
    """What a line of the table says after its name."""
    trained = result.metrics.get(TRAINING)
    return (
        result.profile,
        DASH if trained is None or trained.value is None else duration(trained.value),
        DASH if result.wall_seconds is None else duration(result.wall_seconds),
        f"{result.peak_memory_gb:.1f} GB",
        result.device,
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx, which `_config.yml` tells of this extension."""
    app.add_directive("step-costs", StepCosts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
