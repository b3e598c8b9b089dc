import pytest
import yaml

from vctlib.config import PROFILES, load_profile
from vctlib.errors import InputError


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_profile_is_valid_and_named_after_its_file(path):
    profile = load_profile(path)
    assert profile.name == path.stem
    assert profile.compression == 2 ** sum(len(stage.channels) for stage in profile.image_autoencoder.stages)


def test_overrides_reach_nested_keys_only():
    plain, changed = load_profile("smoke"), load_profile("smoke", {"latent_diffusion": {"optimization": {"steps": 7}}})
    assert changed.latent_diffusion.optimization.steps == 7
    assert changed.latent_diffusion.channels == plain.latent_diffusion.channels


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"cohort": {"n_peopel": 3}}, "unknown key 'cohort.n_peopel'"),
        ({"cohort": {"n_people": "many"}}, "cohort.n_people"),
        ({"cohort": {"test_fraction": 1.5}}, "cohort.test_fraction"),
        ({"latent_diffusion": {"attention": [True]}}, "attention"),
        ({"cohort": {"grid": [50, 32, 128]}}, "divisible"),
        ({"segmentation_autoencoder": {"channels": [8]}}, "shrinks"),
    ],
)
def test_mistakes_are_one_clear_line(overrides, message):
    with pytest.raises(InputError, match=message) as caught:
        load_profile("smoke", overrides)
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
