"""``auxiva separate`` where channels are chosen, or differ in what they hear."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from command_line import contents, mixture, separate


def test_channels_are_chosen_and_written(record, out):
    talk = record(waveform=mixture(3), subtype="FLOAT")
    result = separate(talk, "-o", out, "--channels", "1,3", "--all-channels", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["settings"]["channels"] == [0, 2]
    assert found["check_up"]["left_out"] == []
    assert found["output_channels"] == [1, 1]
    assert found["outputs_sum"] is True
    outputs = [soundfile.read(out / name)[0].T for name in sorted(contents(out))]
    np.testing.assert_allclose(sum(outputs), mixture(3)[[0, 2]], atol=1e-5)


@pytest.mark.parametrize("channels", ["", "0", "2-1", "1;2", "1-", "a", "1-99999"])
def test_what_are_no_channels_is_a_mistake(record, out, channels):
    assert separate(record(), "-o", out, "--channels", channels).exit_code == 2


def test_each_source_is_written_where_it_is_loudest(record, out):
    talk = record(waveform=mixture(3), subtype="FLOAT")
    result = separate(talk, "-o", out, "--ref-channel", "loudest", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["settings"]["ref_chan"] == "loudest"
    assert found["outputs_sum"] is (len(set(found["output_channels"])) == 1)
    assert separate(talk, "-o", out, "--ref-channel", "loud").exit_code == 2
