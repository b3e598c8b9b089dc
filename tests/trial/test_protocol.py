import hashlib

import pytest

from vctlib.config import load_profile
from vctlib.errors import InputError
from vctlib.files import REPOSITORY
from vctlib.trial import protocol as module
from vctlib.trial.protocol import People, Protocol, read_protocol
from vctlib.trial.split import BOUNDARY_RULE, TASKS


@pytest.fixture
def write(tmp_path):
    def _write(text: str):
        path = tmp_path / "trial.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return _write


def test_defaults_are_the_papers(write):
    protocol = read_protocol(write("task: muscle\n"))
    assert (protocol.margins.acceptable, protocol.margins.failure) == (2.0, 3.0)
    assert (protocol.people.train, protocol.people.id_test, protocol.people.ood_test) == (200, 75, 75)
    assert protocol.oversampling == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("task: body_fat\nbootstraps: 3\n", "unknown key bootstraps"),
        ("task: body_fat\noversamplng: 3\n", "did you mean oversampling"),
        ("task: body_fat\nmargins: {aceptable: 2}\n", "unknown key margins.aceptable .did you mean acceptable"),
        ("seed: 1\n", "task is missing"),
        ("task: liver\n", "task liver is not body_fat or muscle, so the protocol must also give unit, margins, truth"),
        ("task: liver\nunit: ml\nmargins: {acceptable: 50, failure: 90}\ntruth_column: v\n", "must give populations"),
        ("task: body_fat\npopulations: {old: {age_years: [80, 65]}}\n", "old.age_years: .80, 65. is neither"),
        ("task: body_fat\npopulations: {old: {age_years: 65}}\n", "old.age_years: 65 is neither"),
        ("task: body_fat\npopulations: {all: {}}\narms: [real, real_weighted]\n", "belong to the paper's boundary"),
        ("task: body_fat\nmargins: {acceptable: 2, failure: 2}\n", "margins: equivalence is 0"),
        ("task: body_fat\nseed: '1'\n", "seed: "),
        ("task: body_fat\nmargins: {acceptable: 4.0}\n", "acceptable .4. is above failure .3."),
        ("task: body_fat\narms: [reconstructed]\n", "arms must hold real or synthetic"),
        ("task: body_fat\narms: [synthetic, synthetic_rebiased]\n", "need the arm real"),
        ("task: body_fat\narms: [real, real]\n", "twice"),
        ("task: body_fat\narms: [real, synthetic, synthetic_calibrated]\n", "needs the arms real, reconstructed and"),
        ("task: body_fat\narms: [real]\ncalibrate_on: ID\n", "calibrate_on is of the arm synthetic_calibrated"),
        (
            "task: body_fat\npopulations: {old: {}}\narms: [real, reconstructed, synthetic, synthetic_calibrated]\n",
            "calibrate_on names one of the populations old",
        ),
        ("task: body_fat\nboundary: by eye\n", "boundary: leave it out"),
        ("task: body_fat\npopulations: {all: {}}\nboundary: by eye\n", "boundary: leave it out"),
        ("task: [\n", "not valid YAML"),
        ("- body_fat\n", "keys and values"),
        ("", "keys and values"),
    ],
)
def test_a_mistake_is_one_line_with_the_file(write, text, words):
    path = write(text)
    with pytest.raises(InputError, match=words) as caught:
        read_protocol(path)
    assert "\n" not in str(caught.value)
    assert "trial.yaml" in str(caught.value)


def test_absent_file(tmp_path):
    with pytest.raises(InputError, match="no protocol"):
        read_protocol(tmp_path / "absent.yaml")


def test_hash_is_of_the_content_and_not_of_its_writing(write):
    short = read_protocol(write("task: body_fat\n"))
    long = read_protocol(write("# a remark\nseed: 0\nmargins: {failure: 3, acceptable: 2}\ntask: body_fat\n"))
    assert short.sha256() == long.sha256() == hashlib.sha256(short.canonical().encode()).hexdigest()


@pytest.mark.parametrize("change", ["seed: 1", "id_share: 0.6", "margins: {acceptable: 2.1}", "arms: [real]"])
def test_hash_changes_with_any_setting(write, change):
    assert read_protocol(write(f"task: body_fat\n{change}\n")).sha256() != Protocol(task="body_fat").sha256()


def test_the_rule_of_the_boundary_is_part_of_the_hash(monkeypatch):
    protocol = Protocol(task="body_fat")
    assert protocol.boundary == BOUNDARY_RULE and BOUNDARY_RULE in protocol.canonical()
    monkeypatch.setattr(module, "BOUNDARY_RULE", "another rule")
    assert Protocol(task="body_fat").sha256() != protocol.sha256()
    assert Protocol(task="body_fat", populations={"all": {}}).boundary == ""


@pytest.mark.parametrize("task", TASKS)
def test_the_papers_trials_are_files_that_say_what_the_default_profile_runs(task):
    """Step 12 takes these settings from the profile; with `laptop` the file is the whole truth."""
    protocol, profile = read_protocol(REPOSITORY / f"notebooks/trials/{task}.yaml"), load_profile("laptop")
    settings = profile.trial
    assert protocol.task == task and protocol.truth_column == TASKS[task].target_column
    assert protocol.people == People(train=settings.n_train, id_test=settings.n_test, ood_test=settings.n_test)
    assert (protocol.id_share, protocol.n_resamples) == (settings.in_distribution_share, settings.bootstrap)
    assert (protocol.oversampling, protocol.seed) == (profile.synthesis.draws_per_person, 0)
    assert Protocol.model_validate(protocol.model_dump()).sha256() == protocol.sha256()


def test_a_protocol_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="frozen"):
        Protocol(task="body_fat").seed = 5
