from math import prod

import pytest
import yaml

from vctlib.config import PROFILES, Profile, changed, load_profile
from vctlib.errors import InputError


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_profile_is_valid_and_named_after_its_file(path):
    profile = load_profile(path)
    assert profile.name == path.stem
    assert profile.compression == prod(stage.downsampling for stage in profile.image_autoencoder.stages)


def test_overrides_reach_nested_keys_only():
    plain, other = load_profile("smoke"), load_profile("smoke", {"latent_diffusion": {"optimization": {"steps": 7}}})
    assert other.latent_diffusion.optimization.steps == 7
    assert other.latent_diffusion.channels == plain.latent_diffusion.channels
    assert changed(plain, {"latent_diffusion": {"optimization": {"steps": 7}}}) == other


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"cohort": {"n_peopel": 3}}, "unknown key 'cohort.n_peopel'"),
        ({"n_more": 3}, "unknown key 'n_more'; is it cohort.n_more?"),
        ({"cohort": {"n_people": "many"}}, "cohort.n_people"),
        ({"cohort": {"test_fraction": 1.5}}, "cohort.test_fraction"),
        ({"cohort": {"conditions": {"ascitis": 0.1}}}, "overrides of smoke.yaml: .*'ascitis'; there are: .*ascites"),
        ({"cohort": {"conditions": "all"}}, "none, published, or a rate .* hip_implant"),
        ({"cohort": {"conditions": {"ascites": 2}}}, "cohort.conditions: the rate of ascites is 2; it must be"),
        ({"cohort": {"scanner": {"models": []}}}, "cohort.scanner.models"),
        ({"cohort": {"scanner": {"models": ["mammograph"]}}}, "cohort.scanner.models.0"),
        ({"cohort": {"scanner": {"tube_current": {"angular": 2}}}}, "cohort.scanner.tube_current.angular"),
        ({"latent_diffusion": {"attention": [True]}}, "attention"),
        ({"cohort": {"grid": [50, 32, 128]}}, "divisible"),
        ({"segmentation_autoencoder": {"block": 2}}, "shrinks"),
        ({"segmentation_autoencoder": {"kind": "vq"}}, "segmentation_autoencoder.vq.codebook_size"),
        ({"latent_diffusion": {"conditioning": "names"}}, "latent_diffusion.conditioning"),
        ({"cohort": {"n_more": -1}}, "cohort.n_more"),
        ({"cohort": {"source": "nifti"}}, "only phantoms can be made in any number"),
        ({"body_frame": {"lowest_voxel": 40}}, r"body_frame: 40 \+ 108 voxels exceed the grid"),
        ({"body_frame": {"lowest_voxel": 0}}, "body_frame.lowest_voxel"),
        ({"segmenter": {"optimization": {"patch": [32, 20, 32]}}}, "segmenter's patch .* must be divisible by 8"),
        ({"segmenter": {"optimization": {"patch": [16, 32, 32]}}}, "segmenter's patch .* at least 24 voxels wide"),
        ({"post_processor": {"channels": [8] * 6}}, "post_processor's patch .* must be"),
        ({"post_processor": {"histogram_weight": 1.0, "histogram_side": 5}}, "post_processor's .* histogram_side of 5"),
    ],
)
def test_mistakes_are_one_clear_line(overrides, message):
    with pytest.raises(InputError, match=message) as caught:
        load_profile("smoke", overrides)
    assert "\n" not in str(caught.value)


BLOCKS = {"kind": "block_pca", "block": 4, "latent_channels": 4, "channels": [8], "residual_layers": 1}
BLOCKS["optimization"] = {"steps": 2, "batch_size": 1, "learning_rate": 1e-3}


@pytest.mark.parametrize(
    ("stages", "multi_window", "message"),
    [
        ([BLOCKS], {}, "weighs windows by companding: set multi_window to null"),
        ([BLOCKS | {"kind": "wavelets"}], None, "'wavelets'"),
        ([BLOCKS | {"codebook_size": 3}], None, "unknown key 'image_autoencoder.stages.0.block_pca.codebook_size'"),
        ([BLOCKS, BLOCKS], None, "only the first stage"),
    ],
)
def test_mistakes_about_blocks_are_one_clear_line(stages, multi_window, message):
    with pytest.raises(InputError, match=message) as caught:
        load_profile("smoke", {"image_autoencoder": {"stages": stages, "multi_window": multi_window}})
    assert "\n" not in str(caught.value)


def test_missing_key_unknown_profile_and_bad_yaml(tmp_path):
    content = yaml.safe_load((PROFILES / "smoke.yaml").read_text())
    del content["trial"]
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "b.yaml").write_text("a: [1")
    with pytest.raises(InputError, match="missing key 'trial'"):
        load_profile(tmp_path / "a.yaml")
    with pytest.raises(InputError, match="not readable as YAML"):
        load_profile(tmp_path / "b.yaml")
    with pytest.raises(InputError, match="known profiles: .*smoke"):
        load_profile("enormous")


def test_weights_released_before_the_comparison_was_there_still_load():
    older = load_profile("laptop").model_dump(mode="json")
    del older["comparison"]
    assert Profile.model_validate(older).comparison == load_profile("laptop").comparison
