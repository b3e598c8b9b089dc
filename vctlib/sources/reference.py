"""The reference cohort that a profile asks for, from whichever source it names."""

from dataclasses import replace
from math import ceil
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd

from vctlib.cohort import Cohort
from vctlib.cohort_config import CohortConfig, ScannerConfig
from vctlib.config import Profile
from vctlib.errors import InputError
from vctlib.sources.nifti import import_nifti_cohort
from vctlib.sources.phantom.cohort import make_phantom_cohort
from vctlib.sources.phantom.population import draw_people, draw_people_like
from vctlib.sources.phantom.scan_protocol import ScanProtocol
from vctlib.sources.phantom.tube_current import TubeCurrent
from vctlib.sources.split import assign_split

_ATTRIBUTE_COLUMNS = ("sex", "age_years", "height_cm", "weight_kg")


def protocol_of(config: ScannerConfig) -> ScanProtocol:
    """The scanner of a profile."""
    return ScanProtocol(
        config.angles,
        config.photons,
        config.models,
        TubeCurrent(**config.tube_current.model_dump()),
        config.table,
        config.bag,
        config.three_scans,
    )


def make_reference(
    config: CohortConfig,
    out: Path,
    seed: int,
    *,
    ct_dir: str | None = None,
    label_dir: str | None = None,
    people_csv: str | None = None,
    n_workers: int | None = None,
    max_minutes: float | None = None,
) -> Cohort:
    """Make (or go on making) the cohort in `out`. The three paths are for the source `nifti` alone.

    Raises InputError where they are absent, or present beside another source.
    """
    paths = {"ct_dir": ct_dir, "label_dir": label_dir, "people_csv": people_csv}
    given = [name for name, value in paths.items() if value is not None]
    if config.source == "nifti":
        if ct_dir is None or people_csv is None:
            raise InputError("this profile reads NIfTI files: give ct_dir and people_csv, and label_dir if you have it")
        return import_nifti_cohort(
            Path(ct_dir),
            Path(people_csv),
            out,
            label_dir=None if label_dir is None else Path(label_dir),
            spacing_mm=config.spacing_mm,
            grid=config.grid,
            name="reference",
            test_fraction=config.test_fraction,
        )
    if given:
        raise InputError(f"this profile makes phantoms; {', '.join(given)} belong to the source nifti")
    return _make_phantoms(config, out, seed, "reference", n_workers=n_workers, max_minutes=max_minutes)


def _make_phantoms(
    config: CohortConfig, out: Path, seed: int, name: str, people: pd.DataFrame | None = None, **limits
) -> Cohort:
    if len(set(config.spacing_mm)) != 1:
        raise InputError(f"phantoms have cubic voxels; spacing_mm is {config.spacing_mm}")
    return make_phantom_cohort(
        out,
        draw_people(config.n_people, seed) if people is None else people,
        spacing_mm=config.spacing_mm[0],
        grid=config.grid,
        seed=seed,
        scanner=None if config.scanner is None else protocol_of(config.scanner),
        name=name,
        test_fraction=config.test_fraction,
        rates=None if config.conditions == "none" else config.conditions,
        **limits,
    )


def make_more(config: CohortConfig, out: Path, seed: int, *, max_minutes: float | None = None) -> Cohort:
    """Make (or go on making) `config.n_more` more phantoms, other people than the reference cohort of the same seed.

    They teach the latent diffusion, no other network.
    """
    more = config.model_copy(update={"n_people": config.n_more, "test_fraction": 0.0})
    return _make_phantoms(more, out, _seed_of("more", seed), "more", max_minutes=max_minutes)


def make_others(
    config: CohortConfig,
    people: pd.DataFrame,
    out: Path,
    seed: int,
    *,
    draws: int = 1,
    max_minutes: float | None = None,
) -> Cohort:
    """Make (or go on making) `draws` other phantoms of the sex, age, height and weight of everybody in `people`: what a
    generator would draw that knows the population itself.

    people: a cohort's table. Subjects are named `<person>-o<draw>`; the column `reference_id` names the person whose
    attributes they have. Raises InputError where the source is no phantom.
    """
    if config.source != "phantom":
        raise InputError(f"other people of given attributes can be drawn of phantoms alone, not of {config.source}")
    wanted = people.loc[people.index.repeat(draws), list(_ATTRIBUTE_COLUMNS)]
    numbers = [number for _ in people.index for number in range(draws)]
    drawn = draw_people_like(wanted, _seed_of("others", seed))
    names = [f"{person}-o{number}" for person, number in zip(wanted.index, numbers, strict=True)]
    drawn = drawn.assign(subject_id=names, reference_id=wanted.index.astype(str))
    every = config.model_copy(update={"test_fraction": 1.0})
    return _make_phantoms(every, out, _seed_of("others", seed), "others", drawn, max_minutes=max_minutes)


def _seed_of(name: str, seed: int) -> int:
    return int(np.random.SeedSequence([seed, crc32(name.encode())]).generate_state(1)[0])


def taught_attributes(config: CohortConfig, seed: int) -> pd.DataFrame | None:
    """Attributes of the phantoms that a latent diffusion of this seed has learned from: those of the reference cohort
    for training, and those beside it. None where the source is no phantom and only the cohort itself could tell.

    Drawn anew in a second, without their bodies; a few of them, whose bodies came out impossible, taught nothing.
    """
    if config.source != "phantom":
        return None
    reference = draw_people(config.n_people, seed).assign(split=assign_split(config.n_people, config.test_fraction))
    parts = [reference[reference["split"] == "train"], draw_people(config.n_more, _seed_of("more", seed))]
    return pd.concat([part[list(_ATTRIBUTE_COLUMNS)] for part in parts if len(part)], ignore_index=True)


def make_compared(profile: Profile, out: Path, seed: int, *, max_minutes: float | None = None) -> Cohort:
    """Make (or go on making) the phantoms that are held against real CT, at the spacing of `profile.comparison`.

    Through the profile's scanners with as many views as sampling theory asks for, on a grid of the same extent.
    """
    config, spacing = profile.cohort, profile.comparison.spacing_mm
    grid = [ceil(size * old / spacing) for size, old in zip(config.grid, config.spacing_mm, strict=True)]
    scanner = ScanProtocol() if config.scanner is None else replace(protocol_of(config.scanner), n_angles=None)
    return make_phantom_cohort(
        out,
        draw_people(profile.comparison.n_people, seed),
        spacing_mm=spacing,
        grid=grid,
        seed=seed,
        scanner=scanner,
        name="compared",
        max_minutes=max_minutes,
    )
