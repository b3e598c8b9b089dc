"""`vct trial` on the paper's own populations: a boundary that the real people draw."""

import numpy as np
import pandas as pd

from vctlib import results
from vctlib.cohort import CohortInfo, CohortWriter
from vctlib.commands.trial import run_trial


def test_without_populations_the_papers_boundary_splits_the_real_people(tmp_path):
    """Training people draw the line; synthetic bodies of the tested ones follow them, and are culled by it."""
    rng, n = np.random.default_rng(0), 160
    volume, fat = rng.uniform(50, 110, n), rng.uniform(15, 45, n)
    muscle = 70 - fat - rng.uniform(0, 8, n) - 0.1 * (volume - 80)
    rows = pd.DataFrame(
        {
            "sex": "male",
            "age_years": 50.0,
            "height_cm": 170.0,
            "weight_kg": volume,
            "split": np.where(np.arange(n) < 80, "train", "test"),
            "body_fat_percent_measured": fat,
            "muscle_percent_measured": muscle,
            "body_volume_l_measured": volume,
        },
        index=[f"P{number:03d}" for number in range(n)],
    )
    for kind, chosen in (("reference", rows), ("synthetic", rows[rows["split"] == "test"])):
        about = {"name": kind, "kind": kind, "labels": None, "source": "blocks", "code_version": "0", "seed": 0}
        writer = CohortWriter(tmp_path / kind, CohortInfo(spacing_mm=(8, 8, 8), grid=(4, 4, 4), **about))
        for subject, row in chosen.iterrows():
            hu = np.zeros((4, 4, 4), np.int16)
            hu[0, 0, 0] = round(row["body_fat_percent_measured"])
            writer.add(subject, dict(row) | {"reference_id": subject}, hu, None, np.eye(4))
        writer.finish(chosen.index)
    (tmp_path / "protocol.yaml").write_text(
        "task: body_fat\ntruth_column: body_fat_percent_measured\noversampling: 1\nn_resamples: 100\n"
        "arms: [real, real_weighted, synthetic, synthetic_rebiased]\npeople: {train: 20, id_test: 30, ood_test: 30}\n"
    )
    cohorts = [str(tmp_path / "reference"), str(tmp_path / "synthetic")]
    (tmp_path / "models.py").write_text("def good(hu, affine):\n    return float(hu[0, 0, 0])\n")
    model = f"{tmp_path / 'models.py'}:good"
    page = run_trial(str(tmp_path / "protocol.yaml"), model, cohorts, str(tmp_path / "out")).read_text()
    verdicts = results.read(tmp_path / "out" / "result.json").verdicts
    assert set(verdicts.values()) == {"pass"}
    assert set(verdicts) == {
        *(f"{population}_{arm}" for population in ("ID", "OOD") for arm in ("real", "synthetic", "synthetic_rebiased")),
        "OOD_real_weighted",
    }
    assert "How much the culling does" in page and "From ID to OOD" in page and "training 20 of" in page
