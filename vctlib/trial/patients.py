"""People and the errors of their images, taken for a whole population from which simulated trials draw patients."""

from dataclasses import dataclass, replace

import numpy as np

from vctlib.errors import InputError
from vctlib.trial.checks import listed


@dataclass(frozen=True)
class Patients:
    """A finite population; every person has the same weight, whatever the number of images."""

    names: np.ndarray  # (people,) sorted
    absolute: np.ndarray  # (people, most images of a person) absolute errors; NaN where a person has fewer
    images_each: int  # that a patient brings to a trial

    @classmethod
    def of(cls, errors: np.ndarray, people: np.ndarray, images_each: int = 1) -> "Patients":
        """From errors (n,), signed or absolute, and the person of each image (n,).

        Raises InputError for errors that are not finite, for a person with fewer than `images_each` images and for
        fewer than two people.
        """
        absolute, people = np.abs(np.asarray(errors, float)), np.asarray(people).astype(str)
        if absolute.ndim != 1 or people.shape != absolute.shape or not np.isfinite(absolute).all():
            raise InputError("every error must be a finite number and have the name of a person")
        names, place, counts = np.unique(people, return_inverse=True, return_counts=True)
        if len(names) < 2:
            raise InputError(f"there are errors of {len(names)} people; two or more are needed")
        if images_each < 1 or (counts < images_each).any():
            few = listed(names[counts < images_each]) or "everybody"
            raise InputError(f"{images_each} images a patient cannot be drawn from {few}")
        order = np.argsort(place, kind="stable")
        column = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        table = np.full((len(names), counts.max()), np.nan)
        table[place[order], column] = absolute[order]
        return cls(names, table, images_each)

    @property
    def means(self) -> np.ndarray:
        """Mean absolute error of each person's images, shape (people,)."""
        return np.nanmean(self.absolute, axis=1)

    @property
    def mae(self) -> float:
        """The population's mean absolute error: what a trial estimates."""
        return float(self.means.mean())

    def images(self, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Absolute errors of the patients at the places `chosen` (n,): `images_each` of each, shape (n images_each,).

        A person who is chosen twice is two patients, who bring their images independently of each other.
        """
        rows = self.absolute[chosen]
        if rows.shape[1] > 1:
            last = np.where(np.isnan(rows), np.inf, rng.random(rows.shape))  # what is not there comes last
            rows = np.take_along_axis(rows, np.argsort(last, axis=1), axis=1)
        return rows[:, : self.images_each].ravel()

    def scaled_to(self, mae: float) -> "Patients":
        """The same people with all errors multiplied so that the mean absolute error is `mae`."""
        if mae < 0 or self.mae == 0:
            raise InputError(f"no scale takes a mean absolute error of {self.mae:g} to {mae:g}")
        return replace(self, absolute=self.absolute * (mae / self.mae))

    def among(self, names: np.ndarray) -> "Patients":
        """Those of the people who are among `names`. Raises InputError for fewer than two."""
        stays = np.isin(self.names, names)
        if stays.sum() < 2:
            raise InputError("two arms need two or more people in common")
        return replace(self, names=self.names[stays], absolute=self.absolute[stays])
