"""`vct synthesize`: a table of people in, a measured cohort of synthetic bodies out; no reference cohort is needed."""

from pathlib import Path

import pandas as pd

from vctlib import __version__
from vctlib.attributes import Attributes
from vctlib.cohort import Cohort, CohortInfo, check_subject_id
from vctlib.config import Profile, changed, load_profile
from vctlib.errors import InputError
from vctlib.files import REPOSITORY
from vctlib.metrics.extrapolation import combination_counts
from vctlib.metrics.independent import measure_independently
from vctlib.networks.components import GENERATOR_COMPONENTS, restore
from vctlib.networks.inference import device
from vctlib.networks.weights import load_weights
from vctlib.sources.reference import taught_attributes
from vctlib.synthesis import ATTRIBUTE_COLUMNS, Generator, synthesize_cohort


def synthesize_people(
    people_csv: str, out: str, *, profile: str = "laptop", models: str | None = None, draws: int = 1, seed: int = 0
) -> Path:
    """Make the cohort in `out`, with measurements of the independent segmenter and flags of extrapolation in its table.

    Killed at any moment, the same call goes on. Returns the folder. Raises InputError for a wrong table, profile or
    weights, and where the folder holds anything else.
    """
    people, settings, place = _read_people(Path(people_csv)), load_profile(profile), Path(out)
    if place.exists() and not (place / "begun.json").exists() and (place.is_file() or any(place.iterdir())):
        raise InputError(f"{place} holds something else; name an empty folder, or a new one, with --out")
    folder = Path(models) if models else REPOSITORY / "models" / settings.name
    paths = {part: folder / f"{part}.safetensors" for part in (*GENERATOR_COMPONENTS, "segmenter")}
    absent = [path for path in paths.values() if not path.is_file()]
    if absent:
        raise InputError(
            f"{absent[0]}: no such weights; make train PROFILE={settings.name} makes them, --models names others"
        )
    segmenter = restore(paths["segmenter"], "segmenter")[0].to(device())
    generator = Generator.load({part: paths[part] for part in GENERATOR_COMPONENTS})
    config = changed(settings, {"synthesis": {"draws_per_person": draws}}).synthesis
    frame = _empty_reference(generator.profile)
    cohort = synthesize_cohort(generator, frame, people.assign(split="test"), place, config, seed, restart=False)
    found = measure_independently(cohort, segmenter, paths["segmenter"], settings, place / "rows_measured")
    cohort = cohort.add_columns(found[[name for name in found if name.endswith("_measured")]])
    flags = _flags(people, generator.profile, paths["latent_diffusion"])
    if flags is not None:
        own = flags.loc[cohort.table["reference_id"].astype(str)].set_axis(cohort.table.index)
        cohort = cohort.add_columns(own)
        beyond = sorted(set(flags.index[flags["flag"] == "extrapolation"]))
        if beyond:
            print(
                f"beyond the people that the generator learned from: {', '.join(beyond[:10])}"
                + "..." * (len(beyond) > 10)
            )
    return place


def _read_people(path: Path) -> pd.DataFrame:
    """The table, indexed by subject_id. Raises InputError with the file, and the person, for anything wrong in it."""
    if not path.is_file():
        raise InputError(f"{path}: no such table of people")
    try:
        people = pd.read_csv(path, dtype={"subject_id": str})
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable CSV ({' '.join(str(error).split())[:150]})") from None
    missing = [name for name in ("subject_id", *ATTRIBUTE_COLUMNS) if name not in people]
    if missing:
        raise InputError(
            f"{path}: missing column {', '.join(missing)}; it has {', '.join(map(str, people))[:100]}. An empty cell "
            "leaves an attribute open; cells are separated by commas"
        )
    if people.empty or people["subject_id"].isna().any():
        raise InputError(f"{path}: every person needs a subject_id, and there must be one person at least")
    people = people.set_index("subject_id")
    if people.index.has_duplicates:
        raise InputError(f"{path}: subject {people.index[people.index.duplicated()][0]!r} stands twice")
    for subject_id, row in people.iterrows():
        check_subject_id(subject_id)
        try:
            Attributes.from_row(row)
        except (InputError, ValueError) as error:
            raise InputError(f"{path}: {subject_id}: {error}") from None
    return people


def _empty_reference(profile: Profile) -> Cohort:
    """A reference cohort of nobody, on the grid that the generator draws on."""
    about = {"name": "reference", "kind": "reference", "labels": None, "source": profile.name, "seed": 0}
    grid = {"spacing_mm": profile.cohort.spacing_mm, "grid": profile.cohort.grid}
    return Cohort(Path(), CohortInfo(code_version=__version__, **about, **grid), pd.DataFrame())


def _flags(people: pd.DataFrame, profile: Profile, weights: Path) -> pd.DataFrame | None:
    """How many of those who taught the diffusion are like each person; None where they are patients, not phantoms."""
    taught = taught_attributes(profile.cohort, int(load_weights(weights)[1]["training"]["seed"]))
    return None if taught is None else combination_counts(people, taught)
