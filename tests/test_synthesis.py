"""Synthetic people depend on seed, person, draw and weights, and but for last digits on nothing else."""

import dataclasses
import hashlib

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from vctlib.anatomy import PAPER16, reduce_labels
from vctlib.cohort import Cohort
from vctlib.errors import InputError
from vctlib.intensity import denormalise_hu
from vctlib.networks.amounts import fat_share
from vctlib.networks.body_frame import BodyFrame, placement
from vctlib.networks.components import GENERATOR_COMPONENTS, release, restore
from vctlib.networks.inference import encode_body, to_network
from vctlib.networks.organ_intensities import ORGANS, QUANTILES, TOLD, of_no_organ, organ_quantiles
from vctlib.networks.weights import load_weights, save_weights
from vctlib.synthesis import Generator, reconstruct_cohort, synthesize_cohort


@pytest.fixture(scope="module")
def weights(micro_shop, tiny_people, tmp_path_factory) -> dict:
    """The trained parts, with codes taken from a person's latents: after five steps of training all latents may fall
    to one code, and all bodies would be alike."""
    shop, _ = micro_shop
    paths = {name: shop.weights(name) for name in GENERATOR_COMPONENTS}
    hu, labels = tiny_people.ct("B2")[0], reduced(tiny_people)("B2")
    torch.manual_seed(0)
    network, profile, training = restore(paths["image_autoencoder"], "image_autoencoder")
    x = to_network(BodyFrame(profile, placement(profile, hu, labels)).into(hu))
    with torch.no_grad():
        for stage in network.stages:
            x = stage.encode(stage.standardise(x))
            stage.codebook._initialise(x.movedim(1, -1).flatten(0, -2))
    paths["image_autoencoder"] = tmp_path_factory.mktemp("weights") / "image_autoencoder.safetensors"
    release(paths["image_autoencoder"], "image_autoencoder", network, profile, training)
    return paths


def reduced(cohort: Cohort):
    """A person's label map in the paper's classes, by id."""
    return lambda subject: reduce_labels(cohort.labels(subject), cohort.info.labels, PAPER16)


@pytest.fixture(scope="module")
def generator(weights) -> Generator:
    return Generator.load(weights)


@pytest.fixture(scope="module")
def people(tiny_people) -> pd.DataFrame:
    """Five people: with two draws each, whole batches and a rest."""
    return tiny_people.table.iloc[:5]


def hashes(folder) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def synthesize(generator, tiny_people, people, micro_profile):
    def run(folder, *, of=None, using=generator, seed=0, **changes) -> Cohort:
        config = micro_profile.synthesis.model_copy(update=changes)
        return synthesize_cohort(using, tiny_people, people if of is None else of, folder, config, seed)

    return run


@pytest.fixture(scope="module")
def undisturbed(synthesize, tmp_path_factory) -> Cohort:
    return synthesize(tmp_path_factory.mktemp("synthetic") / "cohort")


def assert_same_bodies(some: Cohort, among: Cohort) -> None:
    """But for a voxel in ten thousand: in another batch, sums of a network round otherwise in the seventh digit, and a
    voxel may fall on the other side of a threshold."""
    for subject in some.subjects:
        for found, expected in (
            (some.ct(subject)[0], among.ct(subject)[0]),
            (some.labels(subject), among.labels(subject)),
        ):
            assert np.mean(found != expected) < 1e-4


def test_bodies_have_the_attributes_asked_for(undisturbed, people, tiny_people):
    assert undisturbed.subjects == [f"B{n}-s{draw}" for n in range(5) for draw in (0, 1)]
    assert undisturbed.info.kind == "synthetic" and undisturbed.info.labels == dict(PAPER16)
    row = undisturbed.table.loc["B3-s1"]
    assert row["reference_id"] == "B3" and row["draw"] == 1
    for column in ("sex", "age_years", "height_cm", "weight_kg", "split"):
        assert row[column] == people.at["B3", column]
    hu, affine = undisturbed.ct("B3-s1")
    assert hu.shape == tiny_people.info.grid and np.allclose(np.diag(affine)[:3], 40)
    centre = affine @ [*(np.array(hu.shape) - 1) / 2, 1]
    assert np.allclose(centre[:3], 0)
    assert undisturbed.labels("B3-s1").max() <= len(PAPER16)
    assert len({undisturbed.ct(s)[0].tobytes() for s in undisturbed.subjects}) == 10  # nobody is like another


@pytest.mark.parametrize("batch_size", [1, 3])
def test_batch_size_makes_no_difference(undisturbed, synthesize, tmp_path, batch_size):
    assert_same_bodies(synthesize(tmp_path / "c", batch_size=batch_size), undisturbed)
    found, expected = hashes(tmp_path / "c"), hashes(undisturbed.path)
    assert set(found) == set(expected)
    assert all(found[name] == expected[name] for name in found if not name.endswith(".nii.gz"))


def test_neither_order_nor_company_makes_a_difference(undisturbed, synthesize, people, tmp_path):
    some = synthesize(tmp_path / "c", of=people.iloc[[4, 1]])
    assert some.subjects == ["B4-s0", "B4-s1", "B1-s0", "B1-s1"]
    assert_same_bodies(some, undisturbed)


def test_interrupted_and_called_again_gives_the_same_bodies(undisturbed, synthesize, tmp_path, monkeypatch):
    original = Generator.decode
    for made in (3, 4):  # three, then four more, then the rest
        left = iter(range(made))

        def interrupt(self, *body, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return original(self, *body)

        with monkeypatch.context() as patched:
            patched.setattr(Generator, "decode", interrupt)
            with pytest.raises(KeyboardInterrupt):
                synthesize(tmp_path / "c")
        with pytest.raises(InputError, match="no finished cohort"):
            Cohort.open(tmp_path / "c")
    (tmp_path / "c" / "ct" / ".B4-s1.nii.gz.1.tmp").write_bytes(b"half")
    decoded = []
    with monkeypatch.context() as patched:
        patched.setattr(Generator, "decode", lambda self, *body: decoded.append(1) or original(self, *body))
        synthesize(tmp_path / "c")
    assert len(decoded) == 10 - 3 - 4
    assert_same_bodies(Cohort.open(tmp_path / "c"), undisturbed)
    assert set(hashes(tmp_path / "c")) == set(hashes(undisturbed.path))


def test_draws_differ_and_seeds_decide(undisturbed, synthesize, people, tmp_path):
    assert not np.array_equal(undisturbed.ct("B0-s0")[0], undisturbed.ct("B0-s1")[0])
    other = synthesize(tmp_path / "other", of=people.iloc[:1], seed=1)
    assert not np.array_equal(other.ct("B0-s0")[0], undisturbed.ct("B0-s0")[0])
    fewer = synthesize(tmp_path / "fewer", of=people.iloc[:1], draws_per_person=1)
    assert_same_bodies(fewer, undisturbed)


def test_attributes_matter(undisturbed, synthesize, people, tmp_path):
    swapped = people.iloc[:1].assign(sex="male", weight_kg=115.0)
    assert people.iloc[0]["sex"] == "female"
    other = synthesize(tmp_path / "c", of=swapped)
    assert not np.array_equal(other.ct("B0-s0")[0], undisturbed.ct("B0-s0")[0])


def test_bodies_of_other_weights_or_settings_are_made_anew(undisturbed, synthesize, weights, people, tmp_path):
    """Half a cohort of one generator never becomes the other half of another one's."""
    few = people.iloc[:1]
    synthesize(tmp_path / "c", of=few)
    network, profile, training = restore(weights["latent_diffusion"], "latent_diffusion")
    with torch.no_grad():
        network.statistics.mean.add_(0.5)
    release(tmp_path / "changed.safetensors", "latent_diffusion", network, profile, training)
    changed = Generator.load(weights | {"latent_diffusion": tmp_path / "changed.safetensors"})
    cohort = synthesize(tmp_path / "c", of=few, using=changed)
    assert changed.fingerprint in cohort.info.source and changed.fingerprint not in undisturbed.info.source
    for subject in cohort.subjects:
        assert not np.array_equal(cohort.ct(subject)[0], undisturbed.ct(subject)[0])
    cohort = synthesize(tmp_path / "c", of=few, steps=3)
    assert "3 steps" in cohort.info.source
    assert not np.array_equal(cohort.ct("B0-s0")[0], undisturbed.ct("B0-s0")[0])
    back = synthesize(tmp_path / "c", of=few)
    assert np.array_equal(back.ct("B0-s0")[0], undisturbed.ct("B0-s0")[0])


def test_weights_that_are_absent_or_another_part_are_named(weights, tmp_path):
    with pytest.raises(InputError, match="nothing.safetensors: no such weights"):
        Generator.load(weights | {"latent_diffusion": tmp_path / "nothing.safetensors"})
    with pytest.raises(InputError, match="holds 'image_autoencoder', not 'segmentation_autoencoder'"):
        Generator.load(weights | {"segmentation_autoencoder": weights["image_autoencoder"]})


def test_sampled_bodies_are_of_the_shape_that_is_drawn(generator, tiny_people):
    hu, labels = tiny_people.ct("B2")[0], reduced(tiny_people)("B2")
    parts = dataclasses.replace(generator, post_processor=None)
    z, where = encode_body(parts.image, parts.segmentation, hu, labels, parts.profile)
    z, organs = torch.from_numpy(z)[None], of_no_organ(organ_quantiles(hu, labels))
    as_drawn, undeformed = (parts.decode(z, own, organs)[0] for own in (where, where._replace(shape=())))
    assert np.abs(as_drawn - undeformed).max() > 50


def test_weights_of_another_version_are_named(weights, tmp_path):
    state, metadata = load_weights(weights["image_autoencoder"])
    metadata["profile"]["cohort"]["scanner_photons"] = 4e6  # as profiles had it once
    old = tmp_path / "old.safetensors"
    save_weights(old, state, metadata)
    with pytest.raises(InputError, match="another version of vctlib .cohort.scanner_photons.; train it again"):
        restore(old, "image_autoencoder")


def test_reconstructed_people_go_through_every_part(generator, weights, tiny_people, tmp_path):
    people = tiny_people.subset("test").subjects
    cohort = reconstruct_cohort(generator, tiny_people, people, tmp_path / "c", reduced(tiny_people))
    assert cohort.subjects == people and cohort.info.kind == "reconstructed"
    assert list(cohort.table["reference_id"]) == people and set(cohort.table["split"]) == {"test"}
    hu, affine = tiny_people.ct(people[0])
    decoded, labels = generator.reconstruct(hu, reduced(tiny_people)(people[0]))
    assert np.array_equal(cohort.ct(people[0])[0], np.rint(decoded).astype(np.int16))
    assert np.array_equal(cohort.labels(people[0]), labels) and np.array_equal(cohort.ct(people[0])[1], affine)
    without = Generator.load({name: path for name, path in weights.items() if name != "post_processor"})
    assert without.post_processor is None and without.fingerprint != generator.fingerprint
    assert not np.array_equal(without.reconstruct(hu, reduced(tiny_people)(people[0]))[0], decoded)


class Told(nn.Module):
    """A post-processor that paints what it is told: 1 everywhere for a sample, 0 for a reconstruction."""

    reads_labels, told_sampled, multiple = True, True, 4

    def forward(self, x):
        return x[:, -1:]


def test_the_post_processor_is_told_samples_from_reconstructions(
    generator, tiny_people, synthesize, people, tmp_path, monkeypatch
):
    monkeypatch.setattr(Generator, "_as_told", lambda self, hu, *_: hu)  # which would paint over it
    telling = dataclasses.replace(generator, post_processor=Told())
    hu = telling.reconstruct(tiny_people.ct("B2")[0], reduced(tiny_people)("B2"))[0]
    assert np.unique(hu) == pytest.approx([denormalise_hu(torch.tensor(0.0)).item()])
    sampled = synthesize(tmp_path / "c", of=people.iloc[:1], using=telling, draws_per_person=1)
    painted = denormalise_hu(torch.tensor(1.0)).item()
    assert np.unique(sampled.ct(sampled.subjects[0])[0]) == pytest.approx([painted])


@pytest.mark.parametrize("improved", [True, False], ids=["post-processed", "as decoded"])
def test_a_body_is_as_it_is_told(generator, tiny_people, improved):
    """Its amount of fat and its organs, whatever the post-processor makes of them."""
    parts = generator if improved else dataclasses.replace(generator, post_processor=None)
    hu, labels = tiny_people.ct("B2")[0], reduced(tiny_people)("B2")
    z, where = encode_body(generator.image, generator.segmentation, hu, labels, generator.profile)
    latents, organs = torch.from_numpy(z)[None], np.full((len(TOLD), len(QUANTILES)), np.nan, np.float32)
    fat, fatter = (parts.decode(latents, where._replace(fat=percent), organs) for percent in (30.0, 60.0))
    assert fat_share(*fatter) - fat_share(*fat) > 10
    organs[:-2] = 77.0
    painted, own = parts.decode(latents, where, organs)
    inside = np.isin(own, [organ for organ in ORGANS if (own == organ).sum() > 100])
    assert inside.any() and np.allclose(painted[inside], 77.0)


def test_a_reconstruction_is_told_its_own_fat_and_muscle(generator, tiny_people, monkeypatch):
    told = []
    monkeypatch.setattr(
        Generator, "decode", lambda self, z, where, organs, sampled=True: told.append((where, organs, sampled))
    )
    hu, labels = tiny_people.ct("B2")[0], reduced(tiny_people)("B2")
    generator.reconstruct(hu, labels)
    ((where, organs, sampled),) = told
    own = organ_quantiles(hu, labels)
    assert not sampled and where == placement(generator.profile, hu, labels, generator.image.shapes)
    assert np.array_equal(organs[-2:], own[-2:], equal_nan=True) and np.isnan(organs[:-2]).all()
    assert np.isfinite(own[-2:]).any()
    generator.reconstruct(hu, labels, more_fat=-4.0)
    assert told[1][0] == where._replace(fat=where.fat - 4.0)


def test_reconstruction_resumes_and_forgets_other_weights_and_other_code(generator, tiny_people, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(
        Generator, "reconstruct", lambda self, hu, labels: calls.append(1) or (hu.astype(float), labels)
    )
    run = (tiny_people, tiny_people.subjects[:3], tmp_path / "c", reduced(tiny_people))
    whole = hashes(reconstruct_cohort(generator, *run).path)
    assert len(calls) == 3
    (tmp_path / "c" / "cohort.json").unlink()
    (tmp_path / "c" / "rows" / "B1.json").unlink()
    assert hashes(reconstruct_cohort(generator, *run).path) == whole and len(calls) == 4
    reconstruct_cohort(dataclasses.replace(generator, fingerprint="others"), *run)
    assert len(calls) == 7
