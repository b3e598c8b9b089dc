import numpy as np

from vctlib.metrics.realism import PLANES, frechet_table


def bodies(n, seed, noise=10.0):
    """Cylinders of soft tissue of random width and height in air."""
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(np.arange(32), np.arange(32), np.arange(64), indexing="ij")
    volumes = []
    for _ in range(n):
        inside = ((x - 16) ** 2 + (y - 16) ** 2 < rng.uniform(9, 11) ** 2) & (abs(z - 32) < rng.uniform(24, 26))
        volumes.append(np.where(inside, 40 + rng.normal(0, noise, x.shape), -1000).astype(np.int16))
    return volumes


def test_same_people_are_at_the_floor_and_others_are_not():
    table = frechet_table({"reference": bodies(24, 0), "alike": bodies(24, 1), "rough": bodies(24, 2, 300)}, draws=2)
    assert set(table["plane"]) == set(PLANES) and set(table["n"]) == {12}
    mean = table.groupby("pair")["distance"].mean()
    assert mean["alike_to_reference"] < 2 * mean["reference_to_itself"]
    assert mean["rough_to_reference"] > 3 * mean["reference_to_itself"]
