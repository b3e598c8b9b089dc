"""A diffusion trained again rests on the people and settings asked for, and is trained once."""

import pytest

from vctlib.errors import InputError
from vctlib.networks.components import restore
from vctlib.training import retrain
from vctlib.training.components import JointLatents
from vctlib.training.retrain import retrained_diffusion


def test_trained_once_on_fewer_people(micro_shop, tmp_path, monkeypatch):
    shop, _ = micro_shop
    weights = retrained_diffusion(shop, tmp_path, {}, people_share=0.9, steps_share=0.5)
    network, profile, training = restore(weights, "latent_diffusion")
    assert training["people"] == 5 and profile.latent_diffusion.optimization.steps == 3  # of 6 and 6
    whole = restore(shop.weights("latent_diffusion"), "latent_diffusion")[2]
    assert whole["people"] == 6 and shop.weights("latent_diffusion") != weights
    monkeypatch.setattr(retrain, "fit_latent_diffusion", lambda *_: pytest.fail("trained a second time"))
    assert retrained_diffusion(shop, tmp_path, {}, people_share=0.9, steps_share=0.5) == weights


def test_every_setting_has_weights_of_its_own(micro_shop, tmp_path, monkeypatch):
    shop, _ = micro_shop
    asked = []
    monkeypatch.setattr(retrain, "joint_latents", lambda run: JointLatents(*[[0] * 6] * 4))
    monkeypatch.setattr(
        retrain, "fit_latent_diffusion", lambda run, *_: asked.append((run.folder, run.profile)) or {"parts": {}}
    )
    retrained_diffusion(shop, tmp_path, {}, steps_share=0.5)
    retrained_diffusion(shop, tmp_path, {"optimization": {"ema_decay": 0.0}}, steps_share=0.5)
    retrained_diffusion(shop, tmp_path, {}, steps_share=0.5, people_share=0.5)
    assert len({folder for folder, _ in asked}) == 3
    assert [profile.latent_diffusion.optimization.ema_decay for _, profile in asked] == [0.9, 0.0, 0.9]
    assert [profile.latent_diffusion.prior_factors for _, profile in asked] == [3, 3, 1]  # fewer people carry fewer
    retrained_diffusion(shop, tmp_path, {"prior_factors": 2}, steps_share=0.5, people_share=0.5)
    assert asked[-1][1].latent_diffusion.prior_factors == 2
    with pytest.raises(InputError, match="unknown key"):
        retrained_diffusion(shop, tmp_path, {"ema": False})
    for shares in ({"steps_share": 0.0}, {"people_share": 1.5}):
        with pytest.raises(InputError, match="must be above 0"):
            retrained_diffusion(shop, tmp_path, {}, **shares)
