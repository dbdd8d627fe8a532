"""``--activity-from``: speakers separated by somebody's diarisation."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command_line import SAMPLE_RATE, contents, heard, mixture, separate

from auxiva_cli import learn
from auxiva_cli.filters import Filters

N_SAMPLES = 3 * SAMPLE_RATE


@pytest.fixture
def rttm(tmp_path):
    """Return what writes a file of turns."""

    def write(*turns):
        path = tmp_path / "talk.rttm"
        path.write_text(
            "".join(
                f"SPEAKER talk 1 {start} {end - start} <NA> <NA> {name} <NA> <NA>\n"
                for name, start, end in turns
            )
        )
        return path

    return write


# Of the sources in ``mixture``, roughly.
TURNS = [("ann", 0, 0.35), ("bob", 0.0, 0.15), ("ann", 0.7, 1.0), ("bob", 1.1, 2.0)]


def test_the_file_tells_the_speakers_and_the_stage_is_shown(record, out, rttm, tmp_path):
    waveform = mixture(n_chan=3, n_samples=N_SAMPLES)
    talk, saved = record(waveform=waveform, subtype="FLOAT"), tmp_path / "seats.npz"
    options = ("--activity-from", rttm(*TURNS), "--json", "--save-filters", saved)
    result = separate(talk, "-o", out, *options)
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["settings"]["n_src"] == 2
    assert [stage["name"] for stage in told["stages"]] == ["given", "tied-64"]
    np.testing.assert_allclose(heard(out, "talk").sum(axis=0), waveform[0], atol=1e-6)
    ours = learn(waveform, SAMPLE_RATE, activity_from=rttm(*TURNS), n_fft=512, max_iter=5)
    np.testing.assert_allclose(Filters.load(saved).G, ours.G, atol=1e-4)


def test_turns_are_counted_from_the_beginning_of_the_recording(record, out, rttm, tmp_path):
    waveform = mixture(n_samples=N_SAMPLES)
    shifted = [(name, start + 0.5, end + 0.5) for name, start, end in TURNS]
    whole, cut = record("whole.wav", waveform), record("cut.wav", waveform[:, SAMPLE_RATE // 2 :])
    for talk, turns, options in (
        (whole, shifted, ("--learn-from", "0.5-3")),
        (cut, TURNS, ()),
    ):
        path = tmp_path / f"{talk.stem}.npz"
        options += ("--activity-from", rttm(*turns), "--save-filters", path)
        result = separate(talk, "-o", out, *options)
        assert result.exit_code == 0, result.stderr
    np.testing.assert_array_equal(
        Filters.load(tmp_path / "whole.npz").G, Filters.load(tmp_path / "cut.npz").G
    )


@pytest.mark.parametrize(
    ("options", "exit_code", "expected"),
    [
        (("-s", "1"), 2, "2 speakers, but 1 sources"),
        (("--learn-from", "2.1-3"), 1, "has no turn in what is learnt from"),
    ],
)
def test_what_does_not_fit_the_turns_is_refused(record, out, rttm, options, exit_code, expected):
    talk = record(waveform=mixture(n_samples=N_SAMPLES))
    result = separate(talk, "-o", out, "--activity-from", rttm(*TURNS), *options)
    assert result.exit_code == exit_code
    assert expected in result.stderr
    assert contents(out) == {}


def test_more_speakers_than_microphones_are_refused(record, out, rttm):
    path = rttm(*TURNS, ("cyd", 0.5, 1.0))
    result = separate(record(), "-o", out, "--activity-from", path)
    assert result.exit_code == 2
    assert "3 sources cannot be separated from 2 channels" in result.stderr


def test_a_line_that_is_no_turn_is_named(record, out, rttm):
    path = rttm(*TURNS)
    path.write_text(path.read_text() + "SPEAKER talk 1 soon 1 <NA> <NA> ann <NA> <NA>\n")
    result = separate(record(), "-o", out, "--activity-from", path)
    assert result.exit_code == 2
    assert "line 5 of" in result.stderr


def test_one_file_of_turns_is_for_one_recording(record, out, rttm):
    result = separate(record("a.wav"), record("b.wav"), "-o", out, "--activity-from", rttm(*TURNS))
    assert result.exit_code == 2
    assert "2 recordings were named" in result.stderr
    assert contents(out) == {}
