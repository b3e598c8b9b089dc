"""The `vct` command. Nothing heavy is imported before a subcommand needs it."""

import os
import signal
import sys
from pathlib import Path

import click

from vctlib.errors import InputError

IN_A_RUN = "VCT_PLAN" in os.environ  # the run that started this notebook speaks for both


def _profile_file(_context: object, _option: object, value: str | None) -> str | None:
    """A YAML file beside the caller by its whole path: notebooks run in the repository."""
    own = Path(value or "")
    return str(own.resolve()) if own.suffix in (".yaml", ".yml") and own.is_file() else value


PROFILE = click.option(
    "--profile",
    default="laptop",
    show_default=True,
    callback=_profile_file,
    help="Name or YAML file of a profile.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vctlib")
def vct() -> None:
    """Virtual clinical trials with a controllable generator of full-body CT."""


@vct.group()
def data() -> None:
    """Data sets and weights named in data_manifest.yaml."""


@data.command("list")
def data_list() -> None:
    """Show every entry and where a verified copy lies."""
    from vctlib.commands.data import list_entries

    list_entries()


@data.command("fetch")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Everything that can be fetched.")
def data_fetch(names: tuple[str, ...], everything: bool) -> None:
    """Fetch entries, check them, and print their paths."""
    from vctlib.commands.data import fetch_entries

    fetch_entries(names, everything)


@data.command("verify")
def data_verify() -> None:
    """Check every copy on this machine against its SHA-256."""
    from vctlib.commands.data import verify_entries

    verify_entries()


@vct.command()
@click.argument("notebook")
@click.option("-p", "parameters", type=(str, str), multiple=True, metavar="NAME VALUE", help="A parameter; repeatable.")
@click.option("--output", help="Executed notebook; default runs/<profile>/executed/<name>.ipynb.")
def notebook(notebook: str, parameters: tuple[tuple[str, str], ...], output: str | None) -> None:
    """Run one notebook; unknown or ill-typed parameters are errors."""
    from vctlib.commands.notebooks import run_one

    given = dict(parameters)
    if "profile" in given:
        given["profile"] = _profile_file(None, None, given["profile"])
    executed = run_one(notebook, output, given)
    if not IN_A_RUN:
        print(executed)


@vct.command()
@PROFILE
@click.option("--cores", type=click.IntRange(min=1), help="Processor cores; default all.")
@click.option("--until", metavar="STEP", help="Stop after this step: 02, or its name.")
@click.option("--studies", is_flag=True, help="In place of the book's steps, the costly studies beside it.")
def run(profile: str, cores: int | None, until: str | None, studies: bool) -> None:
    """Run everything that is missing or out of date; train only what has no weights."""
    from vctlib.commands.graph import run_graph

    if studies and until:
        raise InputError("vct run: give --studies or --until, not both; --until 17 runs one study alone")
    run_graph(profile, cores=cores, until=until, studies=studies)


@vct.command()
@PROFILE
@click.option("--cores", type=click.IntRange(min=1), help="Processor cores; default all.")
def train(profile: str, cores: int | None) -> None:
    """Train every network of a profile; a second call resumes."""
    from vctlib.commands.graph import run_graph

    run_graph(profile, training=True, cores=cores)


@vct.command()
@click.option(
    "--profile",
    callback=_profile_file,
    help="Name or YAML file of a profile; default laptop, with --frozen the one that is shown.",
)
@click.option("--frozen", is_flag=True, help="From the committed results, not from runs/.")
@click.option("--output", help="Folder to build into; default book/.")
def book(profile: str | None, frozen: bool, output: str | None) -> None:
    """Build the book and print the path of its first page."""
    from vctlib.commands.book import BOOK, build_book, shown_profile

    profile = profile or (frozen and shown_profile(BOOK)) or "laptop"
    print(build_book(profile, frozen=frozen, output=output))


@vct.command()
@PROFILE
def freeze(profile: str) -> None:
    """Copy executed notebooks and results from runs/ into the book, to be committed."""
    from vctlib.commands.book import freeze_run

    freeze_run(profile)


@vct.command()
@PROFILE
@click.option("--models", help="Folder of the trained weights; default runs/<profile>/models.")
def release(profile: str, models: str | None) -> None:
    """Put trained weights into models/<profile> and name them in the manifest, to be committed."""
    from vctlib.commands.release import release_weights

    for path in release_weights(profile, models):
        print(path)


@vct.command()
@click.argument("cohort")
def measure(cohort: str) -> None:
    """Measure every body of a cohort and add the measurements to its table."""
    from vctlib.commands.measure import measure_folder

    measure_folder(cohort)


@vct.command()
@click.argument("people")
@click.option("--out", required=True, help="Folder of the cohort that is made.")
@PROFILE
@click.option("--models", help="Folder of weights; default models/<profile>.")
@click.option("--draws", type=click.IntRange(min=1), default=1, show_default=True, help="Bodies a person.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def synthesize(people: str, out: str, profile: str, models: str | None, draws: int, seed: int) -> None:
    """Draw a body, CT and labels, for every row of a CSV: subject_id, sex, age_years, height_cm, weight_kg."""
    from vctlib.commands.synthesize import synthesize_people

    print(synthesize_people(people, out, profile=profile, models=models, draws=draws, seed=seed))


@vct.command()
@click.argument("protocol")
@click.option("--model", required=True, help="package.module:function, file.py:function, or model.onnx.")
@click.option(
    "--cohort", "cohorts", multiple=True, required=True, help="Folder of a cohort; one of a kind; repeatable."
)
@click.option(
    "--truth", multiple=True, help="CSV with subject_id and the truth, where the cohort lacks it; repeatable."
)
@click.option("--out", required=True, help="Folder for report.html, result.json and answers.csv.")
def trial(protocol: str, model: str, cohorts: tuple[str, ...], truth: tuple[str, ...], out: str) -> None:
    """Try a model on the people of a protocol and say where it fails."""
    from vctlib.commands.trial import run_trial

    print(run_trial(protocol, model, cohorts, out, truth))


def _interrupt(number: int, frame: object) -> None:
    """End as Ctrl-C does; a second signal must not break the tidying up of the first."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> None:
    """Entry point. Exit status: 0; 1 a step failed; 2 wrong input; 130 interrupted."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        vct.main(prog_name="vct", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        if IN_A_RUN:
            sys.exit(130)
        _end(130, "stopped; the same command resumes where it stopped")
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except InputError as error:
        _end(2, str(error))
    except RuntimeError as error:
        from vctlib.run import StepFailed

        if not isinstance(error, StepFailed):
            raise
        _end(1, str(error))


def _end(status: int, message: str) -> None:
    print(f"vct: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
