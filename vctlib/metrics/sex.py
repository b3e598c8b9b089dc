"""Which sex a body's anatomy shows, read automatically from the structures that the independent segmenter finds.

No single structure tells at coarse voxels: a prostate of 20 ml is forty voxels of 8 mm. All volumes together do. How
often the reading is right on reference people whom it has not seen stands beside every other figure made with it.
"""

import re

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vctlib.errors import InputError

_VOLUME = re.compile(r".+_volume_ml_measured")
_SEXES = ("female", "male")


class SexReader:
    """Logistic regression of sex on the logarithms of measured volumes (ml), with scikit-learn's default penalty."""

    def __init__(self, table: pd.DataFrame):
        """`table`: measured volumes in columns `<structure>_volume_ml_measured`, and `sex`; people of unknown sex are
        left out. Raises InputError without such columns, or with people of one sex alone."""
        self.columns = [name for name in table if _VOLUME.fullmatch(name)]
        if not self.columns:
            raise InputError("the table has no column like prostate_volume_ml_measured; measure the bodies first")
        known = table[table["sex"].isin(_SEXES)]
        if known["sex"].nunique() < 2:
            raise InputError("sex can be read only after seeing people of both sexes")
        self.n = len(known)
        steps = (SimpleImputer(keep_empty_features=True), StandardScaler(), LogisticRegression(max_iter=2000))
        self._model = make_pipeline(*steps).fit(self._features(known), known["sex"])

    def read(self, table: pd.DataFrame) -> pd.Series:
        """The sex that each row's volumes show."""
        missing = sorted(set(self.columns) - set(table))
        if missing:
            raise InputError(f"the table lacks {', '.join(missing)}")
        return pd.Series(self._model.predict(self._features(table)), table.index, name="sex_read")

    def _features(self, table: pd.DataFrame) -> np.ndarray:
        return np.log1p(table[self.columns].to_numpy(float))
