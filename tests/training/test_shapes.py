"""The template of training people: what is made once, and that who is deformed lies nearer to it."""

import dataclasses

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from vctlib.anatomy import PAPER16
from vctlib.errors import InputError
from vctlib.network_config import DeformationConfig
from vctlib.networks import body_shapes
from vctlib.networks.body_frame import BodyFrame, placement
from vctlib.networks.body_shapes import halved
from vctlib.networks.components import restore
from vctlib.training import shapes as module
from vctlib.training.components import joint_latents, train_segmentation_autoencoder
from vctlib.training.shapes import fit_shapes


def with_deformation(shop, **settings):
    frame = shop.profile.body_frame
    deformation = frame.deformation and frame.deformation.model_copy(update=settings)
    frame = frame.model_copy(update={"deformation": deformation if settings else None})
    return dataclasses.replace(shop, profile=shop.profile.model_copy(update={"body_frame": frame}))


def test_who_is_deformed_lies_nearer_to_the_template(empty_shop):
    shop = with_deformation(empty_shop, iterations=(20, 20))
    shapes = fit_shapes(shop)
    near, plain = [], []
    for hu, labels in zip(shop.arrays().hu, shop.arrays(PAPER16).labels, strict=True):
        where = placement(shop.profile, hu, labels, shapes)
        for found, own in ((near, where), (plain, where._replace(shape=()))):
            found.append(np.abs(halved(BodyFrame(shop.profile, own, shapes).into(hu)) - shapes.template.numpy()).mean())
    assert np.mean(near) < 0.9 * np.mean(plain)
    assert shapes.components.flatten(1).norm(dim=1).min() > 0


def test_what_took_long_is_made_once(empty_shop, monkeypatch):
    before = fit_shapes(empty_shop).state_dict()
    for where in (module, body_shapes):
        monkeypatch.setattr(where, "register", lambda *_: pytest.fail("registered a second time"))
    again = fit_shapes(empty_shop).state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in before.items())


def test_another_seed_has_another_template(empty_shop):
    other = dataclasses.replace(empty_shop, seed=empty_shop.seed + 1)
    assert not torch.equal(fit_shapes(empty_shop).template, fit_shapes(other).template)


def test_a_profile_without_deformation_has_no_shapes(empty_shop):
    assert fit_shapes(with_deformation(empty_shop)) is None
    without = empty_shop.profile.model_copy(update={"body_frame": None})
    assert fit_shapes(dataclasses.replace(empty_shop, profile=without)) is None


def test_shapes_are_released_with_the_image_autoencoder(micro_shop):
    shop, _ = micro_shop
    released = restore(shop.weights("image_autoencoder"), "image_autoencoder")[0].shapes.state_dict()
    fitted = fit_shapes(shop).state_dict()
    assert set(released) == {"template", "mean", "components"}
    assert all(torch.equal(released[name], fitted[name]) for name in released)


def test_too_few_people_are_refused_before_anybody_is_framed(empty_shop, monkeypatch):
    monkeypatch.setattr(module, "cached_array", lambda *_: pytest.fail("began"))
    with pytest.raises(InputError, match="6 shapes need more than 6 people, not 6; lower n_shapes"):
        fit_shapes(with_deformation(empty_shop, n_shapes=6))
    nobody = dataclasses.replace(empty_shop, cohort=empty_shop.cohort.subset("test"))
    with pytest.raises(InputError, match="nobody to train on; lower cohort.test_fraction"):
        fit_shapes(nobody)


@pytest.mark.parametrize("iterations", [[], [-1]])
def test_deforming_without_iterations_is_refused(iterations):
    with pytest.raises(ValidationError, match="iterations"):
        DeformationConfig(iterations=iterations)


def test_autoencoders_that_deform_otherwise_than_the_profile_are_refused(micro_shop):
    shop, _ = micro_shop
    for other in (with_deformation(shop), with_deformation(shop, n_shapes=3)):
        for made in (joint_latents, train_segmentation_autoencoder):
            with pytest.raises(InputError, match="deforms bodies otherwise than body_frame.deformation"):
                made(other)
