import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from vctlib.errors import InputError
from vctlib.networks.quantised import codebook, quantise
from vctlib.training.codebooks import fit_codebooks


def left_over(latents: np.ndarray, books: list[torch.Tensor]) -> float:
    z = torch.from_numpy(latents)
    return float((z - quantise(z, [codebook(codes) for codes in books])).square().sum(1).mean())


@pytest.fixture(scope="module")
def latents() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 10, (40, 3))
    return (centres[rng.integers(0, 40, 6000)] + rng.normal(0, 0.3, (6000, 3))).astype(np.float32)


def test_codes_leave_hardly_more_than_full_k_means(latents):
    best = KMeans(40, n_init=3, random_state=0).fit(latents).inertia_ / len(latents)
    (codes,) = fit_codebooks(latents, [40])
    assert codes.shape == (40, 3) and codes.dtype == torch.float32
    assert left_over(latents, [codes]) < 1.5 * best


def test_more_codes_and_a_second_codebook_leave_less(latents):
    found = [left_over(latents, fit_codebooks(latents, sizes)) for sizes in ([10], [40], [160], [40, 40])]
    assert found[0] > found[1] > found[2] and found[3] < found[2] / 1.5


def test_air_takes_one_code(latents):
    """However much of it there is: a body is in every tenth latent or so."""
    air = np.full((60_000, 3), -20.0, np.float32)
    codes = fit_codebooks(np.concatenate([air, latents]), [40])[0]
    assert (torch.cdist(codes, torch.full((1, 3), -20.0)) < 3).sum() <= 1
    assert left_over(latents, [codes]) < 2 * left_over(latents, fit_codebooks(latents, [39]))


def test_the_same_seed_gives_the_same_codes(latents):
    first, second = (fit_codebooks(latents, [8, 8], seed=3) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_fewer_latents_than_codes_are_refused():
    with pytest.raises(InputError, match="5 codes need as many different latents; there are 2: take more people"):
        fit_codebooks(np.repeat(np.eye(2, dtype=np.float32), 10, axis=0), [5])
