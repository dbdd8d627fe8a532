"""``auxiva evaluate`` as a user runs it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from auxiva_cli.cli.main import cli
from auxiva_cli.evaluation import bss_eval, si_bss_eval

SAMPLE_RATE = 8000


def run(*arguments):
    return CliRunner().invoke(cli, ["evaluate", *map(str, arguments)])


@pytest.fixture
def write(tmp_path):
    def write(name, signals, sample_rate=SAMPLE_RATE):
        path = tmp_path / name
        soundfile.write(path, np.transpose(signals), sample_rate, subtype="DOUBLE")
        return path

    return write


@pytest.fixture
def signals():
    rng = np.random.default_rng(4)
    references = 0.1 * rng.standard_normal((2, SAMPLE_RATE))
    estimates = np.array([[0.1, 1.0], [1.0, 0.2]]) @ references
    estimates += 0.01 * rng.standard_normal(estimates.shape)
    mixture = np.array([references[0] - references[1], references.sum(axis=0)])
    return references, estimates, mixture


@pytest.fixture
def files(write, signals):
    """Two references in one file, two estimates, and a mixture of two channels."""
    references, estimates, mixture = signals
    return {
        "references": ["--reference", write("refs.wav", references)],
        "estimates": [write(f"est{n}.wav", signal) for n, signal in enumerate(estimates)],
        "mixture": ["--mixture", write("mix.wav", mixture)],
    }


def test_the_json_holds_what_the_library_measures(files, signals):
    references, estimates, mixture = signals
    result = run(
        *files["references"], *files["estimates"], *files["mixture"], "--ref-channel", 2, "--json"
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["version"] == 1
    assert (report["sample_rate"], report["n_samples"]) == (SAMPLE_RATE, SAMPLE_RATE)
    assert report["mixture"]["channel"] == 2
    si = si_bss_eval(references, estimates, mixture[1])
    bss = bss_eval(references, estimates, mixture[1])
    for k, row in enumerate(report["references"]):
        assert row["channel"] == k + 1
        assert row["estimate"]["file"].endswith(f"est{1 - k}.wav")
        for name in ("sdr", "sir", "sar", "sdr_improvement", "sir_improvement"):
            assert row[name] == pytest.approx(getattr(bss, name)[k], abs=1e-3)
            assert row[f"si_{name}"] == pytest.approx(getattr(si, name)[k], abs=1e-3)
    assert report["mean"]["si_sdr"] == pytest.approx(si.sdr.mean(), abs=1e-3)


def test_the_table_has_a_line_for_every_reference_and_the_mean(files):
    result = run(*files["references"], *files["estimates"], *files["mixture"])
    lines = result.stdout.splitlines()
    assert [word for word in lines[0].split() if word.startswith("SI-SDR")] == ["SI-SDR", "SI-SDRi"]
    assert "est1.wav" in next(line for line in lines if "refs.wav [1]" in line)
    assert "est0.wav" in next(line for line in lines if "refs.wav [2]" in line)
    assert any(line.startswith("mean in dB") for line in lines)
    assert lines[-1].startswith("Each channel of a reference, in brackets, counts as")
    assert "\x1b" not in result.stdout


def test_without_a_mixture_improvements_are_null_and_have_no_column(files):
    arguments = [*files["references"], *files["estimates"]]
    report = json.loads(run(*arguments, "--json").stdout)
    assert report["references"][0]["si_sdr_improvement"] is None
    assert "SI-SDRi" not in run(*arguments).stdout


def test_a_silent_reference_is_null_in_json_and_a_dash_in_the_table(write, files, signals):
    silent = write("silent.wav", np.zeros(SAMPLE_RATE))
    arguments = [*files["references"], "--reference", silent, *files["estimates"]]
    row = json.loads(run(*arguments, "--json").stdout)["references"][2]
    assert row["estimate"] is None
    assert row["si_sdr"] is row["sdr"] is row["sir"] is None
    line = next(line for line in run(*arguments).stdout.splitlines() if "silent.wav" in line)
    assert line.split() == ["silent.wav", *("-" * 7)]


def test_estimates_too_many_are_listed_as_left_over(write, files):
    noise = write("noise.wav", np.random.default_rng(0).standard_normal(SAMPLE_RATE) / 10)
    arguments = [*files["references"], noise, *files["estimates"]]
    report = json.loads(run(*arguments, "--json").stdout)
    assert report["unpaired_estimates"] == [{"file": str(noise), "channel": 1}]
    assert "noise.wav" in run(*arguments).stdout


def test_a_few_samples_too_many_are_reported_and_left_out(write, files, signals):
    longer = write("longer.wav", np.pad(signals[1][0], (0, 9)))
    result = run(*files["references"], longer, files["estimates"][1], "--json")
    assert json.loads(result.stdout)["n_samples"] == SAMPLE_RATE
    assert "9 samples" in result.stderr


def test_lengths_that_differ_by_more_are_refused(write, files, signals):
    longer = write("longer.wav", np.pad(signals[1][0], (0, SAMPLE_RATE)))
    result = run(*files["references"], longer)
    assert result.exit_code == 1
    assert "1.00 s longer" in f"{result.exception}{result.output}"


def test_sample_rates_that_differ_are_refused(write, files, signals):
    other = write("other.wav", signals[1][0], 16000)
    result = run(*files["references"], other)
    assert result.exit_code == 1
    assert "16000 Hz" in f"{result.exception}{result.output}"


def test_a_channel_that_the_mixture_lacks_is_refused(files):
    result = run(*files["references"], *files["estimates"], *files["mixture"], "--ref-channel", 3)
    assert result.exit_code in (1, 2)
    assert "2 channels" in f"{result.exception}{result.output}"


def test_file_names_are_shown_on_one_line_and_not_read_as_markup(write, files, signals):
    odd = write("a[bold]\x1b]0;b\n.wav", signals[1][0])
    result = run(*files["references"], odd, files["estimates"][1])
    assert "a[bold]\\x1b]0;b\\n.wav" in result.stdout


def test_a_file_that_is_no_recording_is_named(files, tmp_path):
    page = tmp_path / "page.wav"
    page.write_text("<html>")
    result = run(*files["references"], page)
    assert result.exit_code == 1
    assert "page.wav" in f"{result.exception}{result.output}"


def test_references_and_estimates_must_be_given(files):
    assert run(*files["references"]).exit_code == 2
    assert run(*files["estimates"]).exit_code == 2
