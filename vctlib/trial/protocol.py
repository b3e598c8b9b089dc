"""The protocol of a trial: one YAML file, fixed and hashed before any error is looked at.

Every key is checked, an unknown one is an error, and the SHA-256 of the content goes into the report, so that a
reader can tell whether the question was changed after the answer was known.
"""

import difflib
import hashlib
import json
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vctlib.errors import InputError
from vctlib.trial.arms import REAL, REAL_WEIGHTED, RECONSTRUCTED, SYNTHETIC, SYNTHETIC_REBIASED
from vctlib.trial.verdict import ACCEPTABLE, FAILURE

Arm = Literal[REAL, REAL_WEIGHTED, RECONSTRUCTED, SYNTHETIC, SYNTHETIC_REBIASED]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Margins(_Strict):
    """Limits of the mean absolute error, in percentage points."""

    acceptable: float = Field(ACCEPTABLE, gt=0)  # success below
    failure: float = Field(FAILURE, gt=0)  # failure above
    # Two arms are equivalent where they differ by less; by default what separates success from failure, so that an
    # equivalent arm cannot turn the one into the other.
    equivalence: float = Field(FAILURE - ACCEPTABLE, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> "Margins":
        if self.acceptable > self.failure:
            raise ValueError(f"acceptable ({self.acceptable:g}) is above failure ({self.failure:g})")
        return self


class People(_Strict):
    """How many people each part of the trial asks for. Defaults: killeen2025 section 4.3.1."""

    train: int = Field(200, ge=1)
    id_test: int = Field(75, ge=2)
    ood_test: int = Field(75, ge=2)


class Protocol(_Strict):
    """What a trial asks, of whom, and how it will be judged. Defaults are the paper's where it states one."""

    question: str = "Does the virtual trial foretell the model's error on a shifted population?"
    task: Literal["body_fat", "muscle"]
    truth_column: str = "truth"
    prediction_column: str = "prediction"
    margins: Margins = Margins()
    arms: list[Arm] = Field(
        default_factory=lambda: [REAL, REAL_WEIGHTED, RECONSTRUCTED, SYNTHETIC, SYNTHETIC_REBIASED], min_length=1
    )
    people: People = People()
    oversampling: int = Field(2, ge=1)  # synthetic images a patient; killeen2025 section 1.5.1
    n_resamples: int = Field(10_000, ge=100)  # of the bootstrap
    level: float = Field(0.95, gt=0.5, lt=1)  # of the intervals
    seed: int = Field(0, ge=0)
    id_share: float = Field(0.5, gt=0, lt=1)  # share of people on the in-distribution side of the boundary

    @model_validator(mode="after")
    def _arms_make_sense(self) -> "Protocol":
        if REAL not in self.arms:
            raise ValueError("arms must hold real; every other arm is compared with it")
        if len(set(self.arms)) < len(self.arms):
            raise ValueError("arms names one arm twice")
        return self

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
