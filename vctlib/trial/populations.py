"""Who belongs to which population of a protocol, told by columns of the people and never by errors."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from vctlib.attributes import SEX
from vctlib.errors import InputError
from vctlib.trial.checks import require_columns
from vctlib.trial.protocol import Protocol
from vctlib.trial.split import ID, MINIMUM_PEOPLE, OOD, BiasedSplit, draw_populations, fit_biased_split

_PEOPLE = "the table of people"


class Members(NamedTuple):
    """Subject ids of every population, and how they came about."""

    of: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]  # what a reader of the report must know of them
    split: BiasedSplit | None = None  # the paper's boundary, where it drew them


def with_bmi(people: pd.DataFrame) -> pd.DataFrame:
    """The table with a column `bmi` (kg/m^2), where it has none but has height (cm) and weight (kg)."""
    if "bmi" in people or not {"height_cm", "weight_kg"} <= set(people):
        return people
    return people.assign(bmi=people["weight_kg"] / (people["height_cm"] / 100) ** 2)


def select(people: pd.DataFrame, populations: Mapping[str, Mapping]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Subject ids of each population, and notes on whom it lacks.

    people: indexed by subject_id, one row a person. Conditions are met where a number lies in [low, high) or a word is
    one of those listed; whoever lacks a value belongs to no population that asks for it, and no condition holds
    everybody. Raises InputError for a column that is absent, a sex that is none, or numbers asked of words.
    """
    people = with_bmi(people)
    found, notes = {}, []
    for name, conditions in populations.items():
        require_columns(people, conditions, _PEOPLE)
        inside, unknown = np.ones(len(people), bool), np.zeros(len(people), bool)
        for column, condition in conditions.items():
            notes += _unknown_words(people[column], condition, name)
            inside &= _meets(people[column], condition, name)
            unknown |= people[column].isna().to_numpy()
        found[name] = tuple(people.index[inside].astype(str))
        if unknown.any():
            lack = "1 person lacks" if unknown.sum() == 1 else f"{unknown.sum()} people lack"
            notes.append(f"{name}: {lack} {' or '.join(conditions)}, not counted in")
        if len(found[name]) < MINIMUM_PEOPLE:
            people_of = "1 person" if len(found[name]) == 1 else f"{len(found[name])} people"
            notes.append(f"{name}: {people_of}; {MINIMUM_PEOPLE} are needed for an interval")
    return found, notes


def members(people: pd.DataFrame, protocol: Protocol) -> Members:
    """The people of each population of the protocol, as `select` finds them; without populations in the protocol, the
    paper's boundary draws the two from the people of split "test"."""
    if not protocol.populations:
        return _by_the_boundary(people, protocol)
    found, notes = select(people, protocol.populations)
    return Members(found, tuple(notes))


def _unknown_words(values: pd.Series, condition: list | str, population: str) -> list[str]:
    """A note on each word that nobody has: it may be misspelt."""
    words = [word for word in ([condition] if isinstance(condition, str) else condition) if isinstance(word, str)]
    if values.name == "sex" and not set(words) <= set(SEX):
        raise InputError(f"population {population} asks for sex {' or '.join(words)}; it is {' or '.join(SEX)}")
    known = ", ".join(sorted(map(str, values.dropna().unique()))[:6])
    absent = [word for word in words if word not in set(values)]
    return [f"{population}: nobody has {values.name} {word!r}; there are {known}" for word in absent]


def _meets(values: pd.Series, condition: list | str, population: str) -> np.ndarray:
    if isinstance(condition, str):
        return (values == condition).to_numpy()
    if isinstance(condition[0], str):
        return values.isin(condition).to_numpy()
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.isna().all() and values.notna().any():
        found = values.dropna().iat[0]
        raise InputError(f"population {population} asks for numbers in {values.name}, which holds {found!r}")
    return ((numbers >= condition[0]) & (numbers < condition[1])).to_numpy()


def _by_the_boundary(people: pd.DataFrame, protocol: Protocol) -> Members:
    split = fit_biased_split(people, protocol.task, protocol.id_share)
    asked = protocol.people
    drawn = draw_populations(
        people, split, asked.train, asked.id_test, asked.ood_test, seed=protocol.seed, minimum=MINIMUM_PEOPLE
    )
    return Members({ID: drawn.id_test, OOD: drawn.ood_test}, (drawn.describe(),), split)
