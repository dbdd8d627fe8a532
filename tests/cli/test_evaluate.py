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


@pytest.fixture
def swapped(write):
    """Two references for three seconds, the first silent in the last, estimates swapped before."""
    references = 0.1 * np.random.default_rng(5).standard_normal((2, 3 * SAMPLE_RATE))
    references[0, 2 * SAMPLE_RATE :] *= 1e-3
    estimates = np.array([[1.0, 0.1], [0.2, 1.0]]) @ references
    middle = slice(SAMPLE_RATE, 3 * SAMPLE_RATE // 2)
    estimates[:, middle] = estimates[::-1, middle]
    paths = [write(f"{name}.wav", signal) for name, signal in zip("ab", estimates, strict=True)]
    return [*(["--reference", write("refs.wav", references)]), *paths]


def test_scores_along_time_in_json(swapped):
    report = json.loads(run(*swapped, "--segments", "0.5s", "--json").stdout)
    segments = report["segments"]
    assert [each["start"] for each in segments] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert segments[-1]["end"] == 3.0
    for each in segments:
        one, other = each["references"]
        assert one["silent"] == (one["si_sdr"] is None) == (each["start"] >= 2.0)
        assert other["owner_changed"] == (each["start"] == 1.0)
        assert (other["si_sdr"] < 0) == (each["start"] == 1.0)
        assert other["owner"]["file"].endswith("a.wav" if other["owner_changed"] else "b.wav")
        assert one["owner"] is None if one["silent"] else one["owner"]["channel"] == 1
    assert json.loads(run(*swapped, "--json").stdout)["segments"] is None


def test_scores_along_time_are_a_table_that_says_what_is_left_out_and_where_owners_change(
    swapped, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "60")
    result = run(*swapped, "--segments", "0.5")
    assert result.exit_code == 0, result.output
    lines = result.stdout[result.stdout.index("SI-SDR in dB along") :].splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("0:0")}
    assert [*rows] == ["0:00", "0:00.5", "0:01", "0:01.5", "0:02", "0:02.5"]
    assert [cell.endswith("*") for cell in rows["0:01"]] == [True, True]
    assert rows["0:02"][0] == "silent"
    assert not any("*" in cell for time, row in rows.items() if time != "0:01" for cell in row)
    assert "30 dB or more below" in lines[-4]
    assert lines[-2:] == ["  ref 1, 0:01-0:01.5: b.wav", "  ref 2, 0:01-0:01.5: a.wav"]
    assert max(map(len, lines)) <= 60


@pytest.mark.parametrize("text", ["0", "0.2s", "-1", "two", "2 m"])
def test_stretches_that_are_no_time_or_too_short_are_refused(swapped, text):
    assert run(*swapped, f"--segments={text}").exit_code == 2
