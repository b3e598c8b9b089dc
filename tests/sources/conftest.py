"""NHANES 2017-2018 as the tests of the phantoms' population compare themselves with it."""

import pandas as pd
import pytest

from vctlib.sources.phantom.population import BMI_RANGE, HEIGHT_RANGE_CM

NAMES = {
    "Gender": "sex",
    "AgeInYearsAtScreening": "age_years",
    "StandingHeightCm": "height_cm",
    "WeightKg": "weight_kg",
    "BodyMassIndexKgm2": "bmi",
    "WaistCircumferenceCm": "waist_cm",
    "TotalPercentFat": "fat_percent",
}


@pytest.fixture(scope="session")
def nhanes(data_dir) -> pd.DataFrame:
    """Adults of 18-79 years (80 stands for 80 and over) within the cohort's ranges of height and BMI: 97 % of them."""
    frame = pd.read_csv(data_dir / "body" / "nhanes_2017_2018_anthro_dxa.csv").rename(columns=NAMES)
    frame["sex"] = frame["sex"].str.lower()
    adults = frame[frame["age_years"].between(18, 79) & frame["weight_kg"].notna() & frame["height_cm"].notna()]
    inside = adults["height_cm"].between(*HEIGHT_RANGE_CM) & adults["bmi"].between(*BMI_RANGE)
    assert inside.mean() == pytest.approx(0.966, abs=0.001)
    return adults.loc[inside, list(NAMES.values())].reset_index(drop=True)


@pytest.fixture(scope="session")
def nhanes_with_dxa(nhanes) -> pd.DataFrame:
    """Those whose fat DXA measured; it ends at 59 years."""
    return nhanes[nhanes["age_years"] < 60].dropna(subset=["fat_percent"])
