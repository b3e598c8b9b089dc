"""Weights that do not go together, or are not whole, are named before a body is drawn."""

import pytest

from vctlib.errors import InputError
from vctlib.networks.components import GENERATOR_COMPONENTS, build, release, restore
from vctlib.networks.weights import load_weights, save_weights
from vctlib.synthesis import Generator


@pytest.fixture(scope="module")
def weights(micro_shop) -> dict:
    shop, _ = micro_shop
    return {name: shop.weights(name) for name in GENERATOR_COMPONENTS}


def test_weights_of_other_shapes_are_named(weights, tmp_path):
    """A latent diffusion that was released, say, beside an image autoencoder that was trained here."""
    _, profile, training = restore(weights["latent_diffusion"], "latent_diffusion")
    frame = profile.body_frame.model_copy(update={"deformation": None})
    plain = profile.model_copy(update={"body_frame": frame})
    path = tmp_path / "latent_diffusion.safetensors"
    release(path, "latent_diffusion", build("latent_diffusion", plain), plain, training)
    with pytest.raises(InputError, match="draws bodies of other shapes than those of .*image_autoencoder"):
        Generator.load(weights | {"latent_diffusion": path})


def test_weights_without_a_profile_are_named(weights, tmp_path):
    state, metadata = load_weights(weights["segmentation_autoencoder"])
    del metadata["profile"], metadata["training"]
    path = tmp_path / "segmentation_autoencoder.safetensors"
    save_weights(path, state, metadata)
    with pytest.raises(InputError, match="its metadata lack profile and training; train it again"):
        Generator.load(weights | {"segmentation_autoencoder": path})


def test_weights_of_eight_bits_without_their_scale_are_named(weights, tmp_path):
    state, metadata = load_weights(weights["latent_diffusion"])
    name = next(name for name in state if name.endswith("/scale"))
    path = tmp_path / "latent_diffusion.safetensors"
    save_weights(path, {key: tensor for key, tensor in state.items() if key != name}, metadata)
    with pytest.raises(InputError, match="lacks its scale"):
        Generator.load(weights | {"latent_diffusion": path})
