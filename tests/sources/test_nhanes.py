from vctlib.sources.nhanes import read_nhanes_adults


def test_adults_of_both_sexes_in_known_units(data_dir):
    adults = read_nhanes_adults()
    assert len(adults) > 4000 and set(adults["sex"]) == {"female", "male"}
    assert adults["age_years"].between(18, 79).all()
    known = adults.dropna(subset=["height_cm", "weight_kg", "bmi"])
    by_hand = known["weight_kg"] / (known["height_cm"] / 100) ** 2
    assert (by_hand - known["bmi"]).abs().max() < 0.3
    assert adults["fat_percent"].dropna().between(8, 65).all()
