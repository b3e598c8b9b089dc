"""Where a page's numbers come from: `provenance` says it in one line, `result-files` lists every result file.

Both read the result files while the book is built, so neither can say what the files do not.
"""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from vctlib import results
from vctlib.commands.ledger import LEDGER, listed_files
from vctlib.commands.progress import duration
from vctlib.config import load_profile
from vctlib.errors import InputError
from vctlib.files import REPOSITORY, sha256

LIST_OF_FILES = "results_files"  # the page that `result-files` stands on
SHORT_COMMIT, SHORT_HASH = 7, 12  # digits shown
TRAINERS = ("03", "04", "05", "06", "07")  # the steps whose weights the steps from 08 on read
UNREAD = {"11": "03 04 05 06", "13": "04 05 06", "14": "03 04 05 06 07", "15": "03 04 05 06 07", "17": "07", "18": "07"}
UNREAD |= {"19": "04 05 06", "20": "07", "28": "04 05 06"}  # all but these, as notebooks/Snakefile has it
TRAINING = "seconds"  # the metric of a step that trains: over all networks and all the pieces of an interrupted run


def page_link(env: BuildEnvironment, page: str, text: str) -> nodes.Node:
    """A link to a page of the book; the bare text where the book has no such page."""
    if page not in env.found_docs:
        return nodes.Text(text)
    link = addnodes.pending_xref("", nodes.inline("", text), refdomain="std", reftype="doc", reftarget=f"/{page}")
    link.attributes.update(refdoc=env.docname, refexplicit=True, refwarn=True)
    return link


def file_link(env: BuildEnvironment, path: str) -> nodes.Node:
    """A link that fetches a file, given its path below the book."""
    name = PurePosixPath(path).name
    return addnodes.download_reference("", "", nodes.literal(text=name), reftarget=f"/{path}", refdoc=env.docname)


def executed_page(path: str) -> str:
    """`results/laptop/12_run_trial.json` -> `executed/laptop/12_run_trial`, the page of that notebook."""
    return PurePosixPath("executed", *PurePosixPath(path).parts[1:]).with_suffix("").as_posix()


def commit_of(result: results.Result) -> str:
    """The commit in short; whether files that git knows had been changed since. Empty where there was no git."""
    if result.git_commit is None:
        return ""
    return result.git_commit[:SHORT_COMMIT] + (" with changes" if result.git_dirty else "")


def means_nothing(result: results.Result) -> bool:
    """Whether the result's profile only tests the machinery. A profile that is not one of ours is taken at its word."""
    try:
        return not load_profile(result.profile).meaningful
    except InputError:
        return False


def since_replaced(file: Path, result: results.Result) -> list[str]:
    """Numbers of the steps that have trained again since this result was made, as the result files beside it say."""
    number = file.name[:2]
    if number < "08":
        return []
    read = (trainer for trainer in TRAINERS if trainer not in UNREAD.get(number, ""))
    trained = (path for trainer in read for path in sorted(file.parent.glob(f"{trainer}_*.json")))
    return [path.name[:2] for path in trained if results.read(path).created > result.created]


def provenance_line(env: BuildEnvironment, path: str, result: results.Result, *, notebook: bool = True) -> nodes.Node:
    """One line on a result file, given its path below the book; with `notebook`, the link to the notebook before it."""
    first = "profile" if notebook else "Profile"
    facts: list[nodes.Node] = [nodes.Text(f"{first} {result.profile}, seed {result.seed}")]
    if notebook:
        facts.insert(0, page_link(env, executed_page(path), f"Notebook {PurePosixPath(path).name.split('_')[0]}"))
    if commit := commit_of(result):
        facts.append(nodes.Text(f"commit {commit}"))
    facts += [nodes.Text(result.created[:10]), nodes.Text(result.device)]
    trained = result.metrics.get(TRAINING)
    if trained is not None and trained.value is not None:
        facts.append(nodes.Text(f"training took {duration(trained.value)}"))
    if result.wall_seconds is not None:
        facts.append(nodes.Text(f"last run took {duration(result.wall_seconds)}"))
    facts.append(page_link(env, LIST_OF_FILES, "all result files"))
    if replaced := since_replaced(Path(env.srcdir) / path, result):
        facts.append(nodes.strong(text=f"older than the released weights of step {' and '.join(replaced)}"))
    if means_nothing(result):
        facts.append(nodes.strong(text="these numbers mean nothing: the profile only tests the machinery"))
    line = nodes.paragraph(classes=["provenance"])
    for number, fact in enumerate(facts):
        line += [nodes.Text(" · "), fact] if number else [fact]
    return line


class Provenance(SphinxDirective):
    """`:::{provenance} results/laptop/12_run_trial.json`, relative to the book; several stand one after the other.

    Each that is there gets a line; one that is not there gets none, as with `if-file`.
    """

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        lines = []
        for path in self.arguments[0].split():
            file = Path(self.env.srcdir) / path
            self.env.note_dependency(str(file))
            if file.is_file():
                lines.append(provenance_line(self.env, path, self.read(file)))
        return lines

    def read(self, file: Path) -> results.Result:
        """The result file; what is wrong with it becomes an error of the page."""
        try:
            return results.read(file)
        except InputError as problem:
            raise self.error(str(problem)) from None


class ResultFiles(Provenance):
    """`:::{result-files} results/laptop/`: a table of the result files in that folder, and how to check them.

    The slash at the end lets a staged book put another profile in its place.
    """

    final_argument_whitespace = False

    def run(self) -> list[nodes.Node]:
        folder = PurePosixPath(self.arguments[0])
        rows = []
        for file in sorted((Path(self.env.srcdir) / folder).glob("*.json")):
            self.env.note_dependency(str(file))
            rows.append(self.row((folder / file.name).as_posix(), file))
        heads = ("Result file", "Notebook", "Date", "Commit", "Numbers", "SHA-256")
        return [table(heads, rows, "result-files"), *self.how_to_check(folder)]

    def row(self, path: str, file: Path) -> list[nodes.Node]:
        """One line of the table: what the file says of itself, and its hash."""
        result, full = self.read(file), sha256(file)
        short = nodes.abbreviation("", "", nodes.literal(text=full[:SHORT_HASH]), explanation=full)
        notebook = page_link(self.env, executed_page(path), file.stem.split("_")[0])
        told = [result.created[:10], commit_of(result), str(len(result.metrics))]
        return [file_link(self.env, path), notebook, *(nodes.Text(text) for text in told), short]

    def how_to_check(self, folder: PurePosixPath) -> list[nodes.Node]:
        """The ledger with the command that checks it, where there is one."""
        book = Path(self.env.srcdir)
        if not (book / folder / LEDGER).is_file():
            return []
        self.env.note_dependency(str(book / folder / LEDGER))
        count = len(listed_files(book, folder.name))
        said = nodes.paragraph("", "The ledger ")
        said += [file_link(self.env, (folder / LEDGER).as_posix())]
        said += nodes.Text(
            f" lists {count} files: these, and every table, drawing and executed notebook beside them. "
            "In a copy of the repository this checks them all:"
        )
        place = book.relative_to(REPOSITORY) if book.is_relative_to(REPOSITORY) else book
        command = f"cd {(place / folder).as_posix()} && sha256sum -c {LEDGER}"
        return [said, nodes.literal_block(command, command, language="bash")]


def table(heads: Iterable[str], rows: Iterable[Iterable[nodes.Node]], name: str) -> nodes.table:
    """A table of given cells under given heads; `name` is its class."""
    heads = list(heads)
    group = nodes.tgroup(cols=len(heads))
    group += [nodes.colspec(colwidth=1) for _ in heads]
    head, body = nodes.thead(), nodes.tbody()
    for part, cells_of_rows in ((head, [[nodes.Text(text) for text in heads]]), (body, rows)):
        for cells in cells_of_rows:
            part += nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))
    group += [head, body]
    return nodes.table("", group, classes=["colwidths-auto", name])


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx, which `_config.yml` tells of this extension."""
    app.add_directive("provenance", Provenance)
    app.add_directive("result-files", ResultFiles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
