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
    assert "exists already" in f"{refused.exception}{refused.output}"
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
    "arguments", [("--mics", 1), ("--rt60", 3), ("--array", "square"), ("--spacing", 0)]
)
def test_settings_out_of_range_are_usage_errors(speech, tmp_path, arguments):
    assert run(*speech, "-o", tmp_path / "out", *arguments).exit_code == 2
