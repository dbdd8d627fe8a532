"""``auxiva separate --dereverb``: late reverberation is taken away first."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command_line import SAMPLE_RATE, contents, heard, mixture, separate

from auxiva_cli import ParameterError, learn
from auxiva_cli import separate as separate_in_memory
from auxiva_cli.listening.dereverberation import dereverberate
from auxiva_cli.listening.mixture import ArrayMixture


def without_reverberation():
    """Return the recording of these tests as it is separated."""
    recording = ArrayMixture(mixture(), SAMPLE_RATE)
    dry = dereverberate(recording, advanced=lambda done, total: None)
    return dry.read(0, dry.n_samples)


def test_outputs_sum_to_the_microphone_without_late_reverberation(record, out):
    result = separate(record(subtype="FLOAT"), "-o", out, "--dereverb", "--json")
    assert result.exit_code == 0, result.stderr
    summed = heard(out, "talk").sum(axis=0)
    np.testing.assert_allclose(summed, without_reverberation()[0], atol=1e-6)
    assert np.abs(summed - mixture()[0]).max() > 1e-3
    told = json.loads(result.stdout)
    assert told["outputs_sum"] is False
    assert told["settings"]["dereverb"] is True


def test_a_record_brings_it_back(record, out, tmp_path):
    told = separate(record(subtype="FLOAT"), "-o", out, "--dereverb", "--json").stdout
    (tmp_path / "record.json").write_text(told)
    again = tmp_path / "again"
    result = separate(record(subtype="FLOAT"), "-o", again, "--settings", tmp_path / "record.json")
    assert result.exit_code == 0, result.stderr
    assert contents(again) == contents(out)


def test_python_gives_the_same(record, out):
    separate(record(subtype="FLOAT"), "-o", out, "--dereverb")
    waveform = mixture().astype(np.float32)  # as the file has it
    found = separate_in_memory(waveform, SAMPLE_RATE, n_fft=512, max_iter=5, dereverb=True)
    np.testing.assert_allclose(found.sources, heard(out, "talk"), atol=1e-5)


def test_channels_that_are_left_out_have_no_part_in_it(record, out):
    result = separate(
        record(n_chan=3, subtype="FLOAT"), "-o", out, "--dereverb", "--channels", "1,2"
    )
    assert result.exit_code == 0, result.stderr
    two = ArrayMixture(mixture(n_chan=3)[:2], SAMPLE_RATE)
    dry = dereverberate(two, advanced=lambda done, total: None).read(0, two.n_samples)
    # The filters are shorter where there are more channels: the same up to that.
    summed = heard(out, "talk").sum(axis=0)
    assert np.corrcoef(summed, dry[0])[0, 1] > 0.9


def test_filters_cannot_hold_it(record, out, tmp_path):
    result = separate(record(), "-o", out, "--dereverb", "--save-filters", tmp_path / "filters.npz")
    assert result.exit_code == 2
    assert "late reverberation" in result.stderr
    assert not out.exists()
    with pytest.raises(ParameterError, match="dereverb=True is no part of filters"):
        learn(mixture(), SAMPLE_RATE, dereverb=True)
