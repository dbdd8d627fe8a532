"""``auxiva simulate`` as a user runs it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from auxiva_cli.cli.main import cli


@pytest.fixture
def speech(tmp_path):
    rng = np.random.default_rng(2)
    paths = []
    for name, n_samples in (("anna", 4000), ("[bold]ben", 3000)):
        paths.append(tmp_path / f"{name}.wav")
        soundfile.write(paths[-1], 0.1 * rng.standard_normal(n_samples), 8000)
    return [str(path) for path in paths]


def run(*arguments):
    return CliRunner().invoke(cli, ["simulate", *map(str, arguments)])


def files_in(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_it_writes_the_mixture_the_references_and_the_scene(speech, tmp_path):
    out = tmp_path / "new" / "scene"
    settings = ("--mics", 3, "--rt60", 0.2, "--snr", 10, "--array", "linear", "--seed", 8)
    result = run(*speech, "-o", out, *settings)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert sorted(files_in(out)) == ["mix.wav", "ref_1.wav", "ref_2.wav", "scene.json"]
    mixture, sample_rate = soundfile.read(out / "mix.wav")
    assert mixture.shape == (4000, 3)
    assert sample_rate == 8000
    references = np.array([soundfile.read(out / f"ref_{n}.wav")[0] for n in (1, 2)])
    speakers = references.sum(axis=0)
    noise = mixture[:, 0] - speakers
    snr = 10 * np.log10(np.mean(speakers**2) / np.mean(noise**2))
    assert snr == pytest.approx(10.0, abs=0.01)
    scene = json.loads((out / "scene.json").read_text())
    assert scene["version"] == 1
    assert scene["speech"] == speech
    assert scene["rt60"] == 0.2
    assert scene["rt60_measured"] == pytest.approx(0.2, rel=0.2)
    assert (scene["snr"], scene["seed"], scene["array"]) == (10.0, 8, "linear")
    assert np.shape(scene["microphones"]) == (3, 3)
    assert np.shape(scene["speakers"]) == (2, 3)


def test_it_makes_a_conversation_with_levels_noise_and_a_lead(speech, tmp_path):
    settings = ("--talk", "turns", "--duration", 12, "--lead", 2, "--level", "2:-6dB")
    noise = ("--noise", "babble", "--snr", 5)
    result = run(*speech, "-o", tmp_path, *settings, *noise)
    assert result.exit_code == 0, result.output
    scene = json.loads((tmp_path / "scene.json").read_text())
    made_with = {name: scene[name] for name in ("talk", "duration", "lead", "levels", "noise")}
    assert made_with == {
        "talk": "turns",
        "duration": 12.0,
        "lead": 2.0,
        "levels": {"2": -6.0},
        "noise": "babble",
    }
    mixture = soundfile.read(tmp_path / "mix.wav")[0].T
    references = np.array([soundfile.read(tmp_path / f"ref_{n}.wav")[0] for n in (1, 2)])
    assert mixture.shape == (2, 12 * 8000)
    talks = np.zeros(references.shape, dtype=bool)
    for own, turns in zip(talks, scene["turns"], strict=True):
        for start, stop in turns:
            own[round(start * 8000) : round(stop * 8000)] = True
    assert not talks[:, : 2 * 8000].any()
    assert np.abs(references[:, : 2 * 8000]).max() < 1e-12
    assert mixture[:, : 2 * 8000].std() > 0.0
    powers = [np.mean(references[k, talks[k]] ** 2) for k in range(2)]
    assert 10 * np.log10(powers[1] / powers[0]) == pytest.approx(-6.0, abs=0.01)
    speakers = references.sum(axis=0)
    ratio = np.mean(speakers[talks.any(axis=0)] ** 2) / np.mean((mixture[0] - speakers) ** 2)
    assert 10 * np.log10(ratio) == pytest.approx(5.0, abs=0.01)


def test_it_has_somebody_walk(speech, tmp_path):
    run(*speech, "-o", tmp_path / "sits", "--duration", 6)
    result = run(*speech, "-o", tmp_path / "walks", "--duration", 6, "--walk", "2:1m@2-0:04")
    assert result.exit_code == 0, result.output
    scene = json.loads((tmp_path / "walks" / "scene.json").read_text())
    walk = scene["walks"]["2"]
    assert (walk["distance"], walk["when"]) == (1.0, [2.0, 4.0])
    steps = np.linalg.norm(np.diff(walk["path"], axis=0), axis=1)
    assert steps.sum() == pytest.approx(1.0, rel=1e-3)
    assert walk["path"][0] == pytest.approx(scene["speakers"][1])
    for n, moved in ((1, False), (2, True)):
        sits, walks = (
            soundfile.read(tmp_path / name / f"ref_{n}.wav")[0] for name in ("sits", "walks")
        )
        gain = np.vdot(sits[: 2 * 8000], walks[: 2 * 8000]) / np.sum(sits[: 2 * 8000] ** 2)
        np.testing.assert_allclose(walks[: 2 * 8000], gain * sits[: 2 * 8000], atol=1e-6)
        difference = np.std((walks - gain * sits)[3 * 8000 :]) / np.std(walks)
        assert difference > 0.3 if moved else difference < 1e-5


@pytest.mark.parametrize("option", [("--level", "3:-6"), ("--walk", "3:1m")])
def test_a_figure_of_a_speaker_who_is_not_there_is_a_usage_error(speech, tmp_path, option):
    result = run(*speech, "-o", tmp_path / "out", *option)
    assert result.exit_code == 2
    assert "no speaker 3 of 2" in result.output
    assert not (tmp_path / "out").exists()


def test_the_same_command_writes_the_same_bytes_again(speech, tmp_path):
    for name in ("a", "b"):
        run(*speech, "-o", tmp_path / name)
    assert files_in(tmp_path / "a") == files_in(tmp_path / "b")


def test_nothing_is_overwritten_without_force(speech, tmp_path):
    out = tmp_path / "out"
    run(*speech, "-o", out)
    before = files_in(out)
    refused = run(*speech, "-o", out, "--seed", 1)
    assert refused.exit_code == 1
    assert "exist already" in f"{refused.exception}{refused.output}"
    assert files_in(out) == before
    assert run(*speech, "-o", out, "--seed", 1, "--force").exit_code == 0
    assert sorted(files_in(out)) == sorted(before)
    assert files_in(out)["mix.wav"] != before["mix.wav"]


@pytest.mark.parametrize(
    ("samples", "sample_rate", "words"),
    [(np.ones((4000, 2)), 8000, "2 channels"), (np.ones(4000), 16000, "16000 Hz")],
)
def test_speech_that_is_not_mono_or_of_another_rate_is_refused(
    speech, tmp_path, samples, sample_rate, words
):
    soundfile.write(tmp_path / "other.wav", 0.1 * samples, sample_rate)
    out = tmp_path / "out"
    result = run(*speech, tmp_path / "other.wav", "-o", out)
    assert result.exit_code == 1
    assert words in f"{result.exception}{result.output}"
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--mics", 1),
        ("--rt60", 3),
        ("--array", "square"),
        ("--spacing", 0),
        ("--noise", "pink"),
        ("--talk", "some"),
        ("--duration", 0),
        ("--lead", -1),
        ("--level", "-6"),
        ("--level", "0:-6"),
    ],
)
def test_settings_out_of_range_are_usage_errors(speech, tmp_path, arguments):
    assert run(*speech, "-o", tmp_path / "out", *arguments).exit_code == 2
