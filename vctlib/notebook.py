"""What every notebook does at its beginning and its end: settle paths, check inputs, write and glue the result."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from vctlib import results
from vctlib.config import Profile, load_profile
from vctlib.errors import InputError
from vctlib.files import REPOSITORY as ROOT
from vctlib.files import write_text

_MADE_BY = {
    "cohorts/reference": "01_make_reference_cohort",
    "cohorts/reconstructed": "08_reconstruct_people",
    "cohorts/synthetic": "09_synthesize_people",
    "cohorts/others": "29_draw_other_people",
    "results/08_reconstruct_people.json": "08_reconstruct_people",
    "tables/reference_measured.csv": "02_measure_reference_cohort",
    "tables/reference_segmented.csv": "08_reconstruct_people",
    "tables/reconstructed_segmented.csv": "08_reconstruct_people",
    "tables/reconstruction_quality.csv": "08_reconstruct_people",
    "tables/segmenter_on_reference.csv": "08_reconstruct_people",
    "tables/synthetic_segmented.csv": "09_synthesize_people",
    "tables/synthetic_consistency.csv": "09_synthesize_people",
    "tables/others_segmented.csv": "29_draw_other_people",
    "tables/populations_body_fat.csv": "11_train_slice_regressors",
    "tables/populations_muscle.csv": "11_train_slice_regressors",
    "tables/predictions_body_fat.csv": "12_run_trial",
    "tables/predictions_muscle.csv": "12_run_trial",
}


@dataclass
class Step:
    """One run of one notebook."""

    name: str
    profile: Profile
    seed: int
    out: Path
    parameters: dict
    _started: float = field(default_factory=time.monotonic)

    @classmethod
    def begin(
        cls, name: str, profile: str, seed: int, out: str | None, overrides: Mapping | None = None, **others
    ) -> "Step":
        """Read the profile, settle the output folder (by default `runs/<profile>`), print both in two lines."""
        resolved = load_profile(profile, dict(overrides or {}))
        folder = _absolute(out or f"runs/{resolved.name}")
        parameters = {"profile": profile, "seed": seed, "out": out, "overrides": dict(overrides or {}), **others}
        grid = " x ".join(map(str, resolved.cohort.grid))
        spacing = " x ".join(f"{s:g}" for s in resolved.cohort.spacing_mm)
        print(f"profile {resolved.name}: {spacing} mm, {grid} voxels; seed {seed}")
        print(f"hardware: {results.hardware()}")
        if not resolved.meaningful:
            print("This profile tests the machinery. Its figures mean nothing.")
        return cls(name, resolved, seed, folder, parameters)

    def path(self, relative: str) -> Path:
        """A place below the output folder; its folder is made."""
        path = self.out / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def need(self, given: str | None, relative: str) -> Path:
        """An input: the path given, or its default below the output folder. Raises InputError where it is absent."""
        path = _absolute(given) if given else self.out / relative
        marker = path / "cohort.json" if relative.startswith("cohorts/") else path
        if not marker.exists():
            raise InputError(f"{path} is not there yet; it is made by notebooks/{_MADE_BY[relative]}.ipynb")
        return path

    def table(self, name: str, given: str | None = None) -> pd.DataFrame:
        """A table of an earlier notebook, tables/<name>.csv or the path given, indexed by subject_id."""
        frame = pd.read_csv(self.need(given, f"tables/{name}.csv"), dtype={"subject_id": str, "reference_id": str})
        return frame.set_index("subject_id")

    @property
    def released(self) -> Path:
        """Where the profile's released weights lie."""
        return ROOT / "models" / self.profile.name

    def weights(self, component: str, given: str | None = None) -> Path:
        """A component's weights: those given, else those trained in this output folder, else the released ones."""
        folders = [_absolute(given)] if given else [self.out / "models", self.released]
        for folder in folders:
            if (folder / f"{component}.safetensors").exists():
                return folder / f"{component}.safetensors"
        raise InputError(
            f"no weights {component}.safetensors in {' or '.join(map(str, folders))}; "
            f"make them with: make train PROFILE={self.profile.name}"
        )

    def save_table(self, table, name: str) -> Path:
        """Write a table (with its index, where it has a name) as CSV below tables/."""
        path = self.path(f"tables/{name}.csv")
        write_text(path, table.to_csv(index=table.index.name is not None))
        return path

    def finish(self, metrics: Mapping[str, Mapping], inputs: Iterable[Path] = ()) -> dict:
        """Write results/<name>.json and glue every figure for the book: `<metric>`, `<metric>.n`, `.low`, `.high`."""
        from myst_nb import glue  # costs a second; only notebooks pay it

        written = results.write(
            self.path(f"results/{self.name}.json"),
            notebook=self.name,
            parameters=self.parameters,
            profile=self.profile.name,
            seed=self.seed,
            metrics=metrics,
            inputs=inputs,
            wall_seconds=time.monotonic() - self._started,
        )
        for name, metric in written["metrics"].items():
            low, high = metric["ci95"] or (None, None)
            for suffix, value in (("", metric["value"]), (".n", metric["n"]), (".low", low), (".high", high)):
                glue(name + suffix, float("nan") if value is None else value, display=False)
        for name in ("profile", "device", "wall_seconds", "created"):
            glue(name, written[name], display=False)
        warning = "" if self.profile.meaningful else "This profile tests the machinery; its figures mean nothing."
        glue("meaning", warning, display=False)
        return written


def _absolute(path: str | Path) -> Path:
    path = Path(path).expanduser()
    return path if path.is_absolute() else ROOT / path
