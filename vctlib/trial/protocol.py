"""The protocol of a trial: one YAML file, fixed and hashed before any error is looked at.

Every key is checked, an unknown one is an error, and the SHA-256 of the content goes into the report, so that a
reader can tell whether the question was changed after the answer was known.
"""

import difflib
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from vctlib.errors import InputError
from vctlib.trial.arms import (
    POPULATIONS,
    REAL,
    REAL_WEIGHTED,
    RECONSTRUCTED,
    SYNTHETIC,
    SYNTHETIC_CALIBRATED,
    SYNTHETIC_REBIASED,
)
from vctlib.trial.bootstrap import Method
from vctlib.trial.split import BOUNDARY_RULE, ID, TASKS
from vctlib.trial.verdict import ACCEPTABLE, FAILURE

Arm = Literal[REAL, REAL_WEIGHTED, RECONSTRUCTED, SYNTHETIC, SYNTHETIC_REBIASED, SYNTHETIC_CALIBRATED]
MAE, AUC = "mae", "auc"  # endpoints
_OF_THE_BOUNDARY = (REAL_WEIGHTED, SYNTHETIC_REBIASED)  # arms that mean nothing without the paper's line


def _condition(value: Any) -> list[float] | list[str]:
    """`[low, high]` as numbers (low included, high not), a word or a list of words as words. Raises ValueError."""
    values = [value] if isinstance(value, str) else value
    if isinstance(values, list) and values:
        if all(isinstance(item, str) for item in values):
            return values
        numbers = [item for item in values if isinstance(item, int | float) and not isinstance(item, bool)]
        if len(numbers) == len(values) == 2 and numbers[0] < numbers[1]:
            return [float(number) for number in numbers]
    raise ValueError(f"{value!r} is neither [from, up to] with two rising numbers nor a word or a list of words")


Condition = Annotated[Any, AfterValidator(_condition)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Margins(_Strict):
    """Limits of the endpoint. Of a mean absolute error in the unit of the task (percentage points for body fat and
    muscle): success below `acceptable`, failure above `failure`. Of an AUC the other way round."""

    acceptable: float = Field(ACCEPTABLE, gt=0)
    failure: float = Field(FAILURE, gt=0)
    # Two arms are equivalent where they differ by less; by default what separates success from failure, so that an
    # equivalent arm cannot turn the one into the other.
    equivalence: float = Field(default_factory=lambda given: abs(given.get("failure", 0) - given.get("acceptable", 0)))

    @model_validator(mode="after")
    def _apart(self) -> "Margins":
        if self.equivalence <= 0:
            raise ValueError(f"equivalence is {self.equivalence:g}; two arms differ by something, so give more than 0")
        return self


ESTIMANDS = {
    MAE: "mean absolute error over the people of a population, each with the same weight",
    AUC: "share of pairs of a person with the condition and one without, of a population, that the scores rank right",
}


class People(_Strict):
    """How many people each part of the trial asks for. Defaults: killeen2025 section 4.3.1."""

    train: int = Field(200, ge=1)
    id_test: int = Field(75, ge=2)
    ood_test: int = Field(75, ge=2)


class Protocol(_Strict):
    """What a trial asks, of whom, and how it will be judged. Defaults are the paper's where it states one.

    A task of the paper's brings its words and its unit; any other names its own, with its margins and truth. Without
    `populations` they are the paper's two, on both sides of a line (`split`); else each is named and told by columns of
    the people: `elderly: {age_years: [65, 100], sex: female}`. One without conditions holds everybody.
    """

    question: str = "Does the virtual trial foretell the model's error on a shifted population?"
    task: str = Field(min_length=1)
    endpoint: Literal[MAE, AUC] = MAE  # of a number, or of a condition that is there (1) or not (0)
    label: str = ""  # the task in words
    unit: str = ""  # of truth, prediction and margins
    truth_column: str = "truth"
    prediction_column: str = "prediction"
    estimand: str = Field(default_factory=lambda given: ESTIMANDS[given.get("endpoint", MAE)])
    margins: Margins = Margins()
    populations: dict[str, dict[str, Condition]] = Field(default_factory=dict)
    arms: list[Arm] = Field(
        default_factory=lambda given: [
            arm
            for arm in (REAL, REAL_WEIGHTED, RECONSTRUCTED, SYNTHETIC, SYNTHETIC_REBIASED)
            if not given.get("populations") or arm not in _OF_THE_BOUNDARY
        ],
        min_length=1,
    )
    calibrate_on: str = (
        ""  # population whose CTs and reconstructions calibrate synthetic errors; default the paper's ID
    )
    people: People = People()
    oversampling: int = Field(2, ge=1)  # synthetic images a patient; killeen2025 section 1.5.1
    n_resamples: int = Field(10_000, ge=100)  # of the bootstrap
    level: float = Field(0.95, gt=0.5, lt=1)  # of the intervals
    interval: Method = "bca"  # how resamples become an interval; the paper's is percentile
    seed: int = Field(0, ge=0)
    id_share: float = Field(0.5, gt=0, lt=1)  # share of people on the in-distribution side of the boundary
    # How the boundary is drawn; there is one rule, which a protocol states so that its hash changes with it.
    boundary: str = Field(default_factory=lambda given: "" if given.get("populations") else BOUNDARY_RULE)
    seconds_a_body: float = Field(60.0, gt=0)  # after which a model that is run has no answer
    most_unanswered: float = Field(0.05, ge=0, lt=1)  # share of images, above which there is no verdict

    @model_validator(mode="after")
    def _task_is_told(self) -> "Protocol":
        if self.task not in TASKS:
            needed = ("margins", "truth_column") if self.endpoint == AUC else ("unit", "margins", "truth_column")
            absent = [name for name in needed if name not in self.model_fields_set]
            if absent:
                known = " or ".join(TASKS)
                raise ValueError(f"task {self.task} is not {known}, so the protocol must also give {', '.join(absent)}")
            if not self.populations:
                raise ValueError(
                    f"task {self.task} has no boundary of the paper's, so the protocol must give populations"
                )
        return self

    @model_validator(mode="after")
    def _margins_fit(self) -> "Protocol":
        acceptable, failure = self.margins.acceptable, self.margins.failure
        if self.endpoint == AUC:
            if self.task in TASKS:
                raise ValueError(f"task {self.task} is a number, which has no AUC; leave endpoint out")
            if not 0.5 <= failure <= acceptable < 1:
                raise ValueError(
                    f"margins of an AUC: failure ({failure:g}) must lie between 0.5 and acceptable ({acceptable:g}), "
                    "and acceptable below 1"
                )
        elif acceptable > failure:
            raise ValueError(f"margins: acceptable ({acceptable:g}) is above failure ({failure:g})")
        return self

    @model_validator(mode="after")
    def _arms_make_sense(self) -> "Protocol":
        if not {REAL, SYNTHETIC} & set(self.arms):
            raise ValueError("arms must hold real or synthetic")
        if len(set(self.arms)) < len(self.arms):
            raise ValueError("arms names one arm twice")
        if REAL not in self.arms and set(self.arms) & set(_OF_THE_BOUNDARY):
            raise ValueError(f"arms {' and '.join(_OF_THE_BOUNDARY)} need the arm real")
        if self.populations and set(self.arms) & set(_OF_THE_BOUNDARY):
            raise ValueError(
                f"arms {' and '.join(_OF_THE_BOUNDARY)} belong to the paper's boundary; leave populations out"
            )
        return self

    @model_validator(mode="after")
    def _boundary_is_ours(self) -> "Protocol":
        if self.boundary != ("" if self.populations else BOUNDARY_RULE):
            raise ValueError(f"boundary: leave it out; the one rule is {BOUNDARY_RULE!r}, and populations have none")
        return self

    @model_validator(mode="after")
    def _calibration_is_told(self) -> "Protocol":
        if SYNTHETIC_CALIBRATED not in self.arms:
            if self.calibrate_on:
                raise ValueError(f"calibrate_on is of the arm {SYNTHETIC_CALIBRATED}, which arms does not name")
            return self
        absent = [arm for arm in (REAL, RECONSTRUCTED, SYNTHETIC) if arm not in self.arms]
        if absent or self.endpoint == AUC:
            raise ValueError(
                f"arm {SYNTHETIC_CALIBRATED} takes the error of the picture from synthetic errors: it needs the arms "
                f"{REAL}, {RECONSTRUCTED} and {SYNTHETIC}, and an endpoint that is an error"
            )
        if self.calibrated_by not in self.population_names:
            raise ValueError(f"calibrate_on names one of the populations {', '.join(self.population_names)}")
        return self

    @property
    def calibrated_by(self) -> str:
        """The population whose CTs and reconstructions tell what the picture adds to an error."""
        return self.calibrate_on or ("" if self.populations else ID)

    @property
    def population_names(self) -> tuple[str, ...]:
        return tuple(self.populations) or POPULATIONS

    @property
    def words(self) -> str:
        """The task, for people."""
        return self.label or (TASKS[self.task].label if self.task in TASKS else self.task)

    @property
    def symbol(self) -> str:
        """The unit of errors; an AUC has none."""
        return self.unit or ("" if self.endpoint == AUC else "pp")

    @property
    def measure(self) -> str:
        """The endpoint in short."""
        return self.endpoint.upper()

    @property
    def measure_with_unit(self) -> str:
        """`MAE (pp)`, `AUC`."""
        return f"{self.measure} ({self.symbol})" if self.symbol else self.measure

    def with_unit(self, number: str) -> str:
        """`2 pp`; of an AUC the number alone."""
        return f"{number} {self.symbol}" if self.symbol else number

    def bootstrap(self, level: float | None = None) -> dict[str, Any]:
        """Arguments of `bootstrap_mae` and `bootstrap_difference`; `level` in the place of the protocol's."""
        return {
            "n_resamples": self.n_resamples,
            "seed": self.seed,
            "level": level or self.level,
            "method": self.interval,
        }

    def canonical(self) -> str:
        """The whole content, defaults filled in, as JSON with sorted keys; equal for equal protocols."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def sha256(self) -> str:
        """Hexadecimal SHA-256 of `canonical`."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def _known_keys(location: tuple) -> list[str]:
    """The keys that are allowed where an unknown one stands."""
    model = {"margins": Margins, "people": People}.get(location[0] if len(location) > 1 else "", Protocol)
    return list(model.model_fields)


def _one_line(error: ValidationError) -> str:
    parts = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            close = difflib.get_close_matches(str(problem["loc"][-1]), _known_keys(problem["loc"]), n=1)
            hint = f"did you mean {close[0]}?" if close else f"known keys: {', '.join(_known_keys(problem['loc']))}"
            parts.append(f"unknown key {where} ({hint})")
        elif problem["type"] == "missing":
            parts.append(f"{where} is missing")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            parts.append(f"{where}: {message}" if where else message)
    return "; ".join(parts)


def read_protocol(path: str | Path) -> Protocol:
    """The protocol in a YAML file. Raises InputError, in one line with the file's name, for anything wrong in it."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no protocol {path}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold keys and values, such as task: body_fat")
    try:
        return Protocol.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_one_line(error)}") from None
