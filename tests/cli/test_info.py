"""``auxiva info``: what a recording is, told without separating it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from command_line import N_SAMPLES, SAMPLE_RATE, contents, mixture, records, separate
from field_recordings import RATE, room

from auxiva_cli.cli.main import cli


def info(*arguments):
    return CliRunner().invoke(cli, ["info", *map(str, arguments)])


def broken(n_chan=3, n_samples=6 * SAMPLE_RATE):
    """A recording with a dead channel, an offset, and a clipped channel."""
    waveform = mixture(n_chan, n_samples)
    waveform[0] = 0
    waveform[1] += 0.2
    waveform[2] = np.clip(waveform[2], -0.02, 0.02)
    return waveform


def test_format_length_and_levels_are_those_of_the_file(record):
    talk = record(subtype="PCM_24")
    waveform = soundfile.read(talk)[0].T
    shown = json.loads(info(talk, "--json").stdout)
    facts = ("container", "subtype", "sample_rate", "channels", "samples")
    assert [shown[fact] for fact in facts] == ["WAV", "PCM_24", SAMPLE_RATE, 2, N_SAMPLES]
    rms, peak = waveform.std(axis=1), np.abs(waveform).max(axis=1)
    np.testing.assert_allclose(shown["levels_db"], 20 * np.log10(rms), atol=0.006)
    np.testing.assert_allclose(shown["peaks_db"], 20 * np.log10(peak), atol=0.006)
    assert shown["error"] is shown["obstacle"] is None


def test_it_says_what_separate_says_and_would_do(record, out):
    talk = record(waveform=broken())
    shown = json.loads(info(talk, "--count", "--json").stdout)
    result = records(separate(talk, "-o", out, "--json").stdout)[str(talk)]
    kinds = [warning["class"] for warning in shown["warnings"]]
    assert {"channel-dead", "dc-offset", "clipped"} <= set(kinds)
    assert [each for each in result["warnings"] if each["class"] in kinds] == shown["warnings"]
    assert shown["check_up"] == result["check_up"]
    assert shown["count"] == result["count"]
    assert shown["settings"]["n_src"] == result["settings"]["n_src"]
    assert shown["settings"]["ref_chan"] == result["settings"]["ref_chan"]
    assert shown["levels_db"][0] is None


@pytest.mark.parametrize("n_samples", [2 * SAMPLE_RATE, 12 * SAMPLE_RATE])
def test_the_window_is_the_one_that_separate_takes(record, out, n_samples):
    talk = record(waveform=mixture(2, n_samples))
    shown = json.loads(info(talk, "--count", "--json").stdout)["settings"]
    command = ["separate", f"{talk}", "-o", f"{out}", "--json", "-n", "1"]
    used = json.loads(CliRunner().invoke(cli, command).stdout)["settings"]
    assert shown == used | {"max_iter": shown["max_iter"]}


def test_people_get_a_table_and_the_warnings(record):
    result = info(record(waveform=broken()))
    lines = result.stdout.splitlines()
    assert (
        lines[1] == f"  WAV PCM_16, {SAMPLE_RATE} Hz, 3 channels, 6.0 s, {6 * SAMPLE_RATE} samples"
    )
    assert lines[3].endswith("no signal")
    assert lines[4].endswith("reference")
    assert lines[6].startswith("  would be separated into at most 2 speakers, with a window of ")
    assert any(line.startswith("  warning: clipped: ") for line in lines)
    assert result.exit_code == 0


def test_speakers_are_counted_if_that_is_asked_for(record):
    talk = record(waveform=room(44, 4, n_src=3), rate=RATE)
    assert "would be separated into at most 4 speakers, with" in info(talk).stdout
    assert "would be separated into 3 speakers (sure), with" in info(talk, "--count").stdout
    plain, counted = (json.loads(info(talk, "--json", *each).stdout) for each in ([], ["--count"]))
    assert (plain["count"], plain["settings"]["n_src"]) == (None, "auto")
    assert counted["count"]["n"] == counted["settings"]["n_src"] == 3


@pytest.mark.parametrize(("waveform", "kind"), [
    (mixture()[:1], "too-few-channels"), (np.zeros((2, 9000)), "silent"),
    (mixture()[:, :300], "too-short"),
])  # fmt: skip
def test_what_cannot_be_separated_is_said_and_is_no_failure(record, waveform, kind):
    talk = record(waveform=waveform)
    result = info(talk)
    assert f"cannot be separated: {kind}: " in result.stdout
    assert result.exit_code == 0
    assert json.loads(info(talk, "--json").stdout)["obstacle"]["class"] == kind


def test_samples_that_are_no_numbers_are_an_obstacle(record):
    waveform = mixture()
    waveform[1, 7] = np.nan
    shown = json.loads(info(record(waveform=waveform, subtype="FLOAT"), "--json").stdout)
    assert shown["obstacle"]["class"] == "input-nonfinite"


def test_a_recording_that_was_cut_off_is_shown_as_far_as_it_goes(record):
    talk = record()
    talk.write_bytes(talk.read_bytes()[:-4000])
    shown = json.loads(info(talk, "--json").stdout)
    assert shown["samples"] == N_SAMPLES - 1000
    assert shown["warnings"][0]["class"] == "input-truncated"


def test_what_cannot_be_read_is_a_failure_and_the_others_are_shown(record, tmp_path):
    text = tmp_path / "notes.wav"
    text.write_text("no sound in here, but words and words and words")
    talk = record()
    before = contents(tmp_path)
    result = info(text, talk, "--json")
    failed, shown = map(json.loads, result.stdout.splitlines())
    assert result.exit_code == 1
    assert failed["error"]["class"] == "not-audio"
    assert failed.keys() == shown.keys()
    assert shown["error"] is None
    assert "auxiva: error: " in result.stderr
    assert contents(tmp_path) == before
