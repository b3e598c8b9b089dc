"""Bodies of whom something is not known, and where sampled bodies come to lie."""

import numpy as np
import pytest

from vctlib.networks.components import GENERATOR_COMPONENTS
from vctlib.synthesis import Generator

NAN = float("nan")
SOMEBODY = (1.0, 52.0, 171.0, 63.0)


@pytest.fixture(scope="module")
def generator(micro_shop) -> Generator:
    shop, _ = micro_shop
    return Generator.load({name: shop.weights(name) for name in GENERATOR_COMPONENTS})


def sample(generator, people, draws=(0,), **changes):
    config = generator.profile.synthesis.model_copy(update=changes)
    seeds = [[0, 7, draw] for draw in draws]
    return generator.sample_latents(people, seeds, config)


def test_anything_may_be_unknown(generator):
    assert generator.profile.latent_diffusion.conditioning == "values"
    people = [SOMEBODY, (NAN,) * 4, (NAN, *SOMEBODY[1:]), (*SOMEBODY[:3], NAN)]
    latents, placements, organs = sample(generator, people, draws=(0,) * 4, guidance_scale=2.0)
    assert latents.isfinite().all() and np.isfinite([where.numbers for where in placements]).all()
    for i in range(1, 4):  # the same noise: what is known makes the difference
        assert (latents[i] - latents[0]).abs().max() > 1e-4 and placements[i] != placements[0]
    hu, labels = generator.decode(latents[1:2], placements[1], organs[1])
    assert hu.shape == labels.shape == generator.profile.cohort.grid
    assert np.isfinite(hu).all()


def test_a_value_matters_within_its_category(generator):
    latents, placements, _ = sample(generator, [SOMEBODY, (1.0, 58.0, 178.0, 69.0)], draws=(0, 0))
    assert (latents[1] - latents[0]).abs().max() > 1e-4 and placements[0] != placements[1]


def test_draws_differ_in_placement_and_repeat_themselves(generator):
    _, placements, _ = sample(generator, [SOMEBODY] * 3, draws=(0, 1, 2))
    assert len(set(placements)) == 3
    assert sample(generator, [SOMEBODY], draws=(2,))[1][0].numbers == pytest.approx(placements[2].numbers, rel=1e-4)


def test_where_a_body_lies_is_decided_by_its_placement(generator, monkeypatch):
    """The same latents, placed two voxels higher: the same body, two voxels higher."""
    monkeypatch.setattr(Generator, "_as_told", lambda self, hu, *_: hu)  # untrained, it fills the grid
    latents, (where,), (organs,) = sample(generator, [SOMEBODY])
    spacing = generator.profile.cohort.spacing_mm[2]
    parts = Generator(generator.image, generator.segmentation, generator.diffusion, None, generator.profile, "")
    (hu, labels), (higher, labels_higher) = (
        parts.decode(latents, where._replace(z=where.z + steps * spacing), organs) for steps in (0, 2)
    )
    inside = slice(8, -8)
    np.testing.assert_allclose(higher[:, :, 2:][:, :, inside], hu[:, :, :-2][:, :, inside], atol=1.0)
    assert np.mean(labels_higher[:, :, 2:] != labels[:, :, :-2]) < 0.01
