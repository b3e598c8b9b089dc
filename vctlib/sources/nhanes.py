"""Adults of NHANES 2017-2018, whom the phantoms' heights, weights and fat follow. Source: nhanes2018."""

import pandas as pd

from vctlib.manifest import resolve

COLUMNS = {
    "Gender": "sex",
    "AgeInYearsAtScreening": "age_years",
    "StandingHeightCm": "height_cm",
    "WeightKg": "weight_kg",
    "BodyMassIndexKgm2": "bmi",
    "TotalPercentFat": "fat_percent",
}
AGE_RANGE_YEARS = (18, 79)  # 80 stands for 80 and over


def read_nhanes_adults() -> pd.DataFrame:
    """One row an adult of 18-79 years: sex, age_years, height_cm, weight_kg, bmi (kg/m2), fat_percent (DXA, to 59).

    Unweighted: people as they were examined. Raises InputError where the file is neither here nor to be fetched.
    """
    frame = pd.read_csv(resolve("nhanes_2017_2018")).rename(columns=COLUMNS)[list(COLUMNS.values())]
    frame["sex"] = frame["sex"].str.lower()
    return frame[frame["age_years"].between(*AGE_RANGE_YEARS)].reset_index(drop=True)
