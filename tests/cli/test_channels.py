"""``auxiva separate`` where channels are chosen, or differ in what they hear."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from command_line import SAMPLE_RATE, contents, mixture, separate

from auxiva_cli.cli.main import cli


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


@pytest.mark.parametrize("rest", [(), ("--all-channels",)])
def test_filters_are_applied_to_the_channels_that_they_are_for(record, out, tmp_path, rest):
    waveform, filters = mixture(3), tmp_path / "two.npz"
    few = record("few.wav", waveform=waveform[[0, 2]], subtype="FLOAT")
    learnt = separate(few, "-o", out, "--save-filters", filters, *rest)
    assert learnt.exit_code == 0, learnt.stderr
    talk = record("many.wav", waveform=waveform, subtype="FLOAT")
    command = ["apply", f"{filters}", f"{talk}", "-o", f"{out}", "--channels", "1,3", *rest]
    result = CliRunner().invoke(cli, [*command, "--json"])
    assert result.exit_code == 0, result.stderr
    for n in (1, 2):
        expected, found = (soundfile.read(out / f"{s}_src{n}.wav")[0] for s in ("few", "many"))
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert json.loads(result.stdout)["settings"]["channels"] == [0, 2]


def test_filters_that_use_a_channel_which_is_not_chosen_are_refused(record, out, tmp_path):
    talk, filters = record(waveform=mixture(3), subtype="FLOAT"), tmp_path / "filters.npz"
    separate(talk, "-o", out, "--save-filters", filters, "-s", "2")
    command = ["apply", f"{filters}", f"{talk}", "-o", f"{out}", "--force", "--channels"]
    refused = CliRunner().invoke(cli, [*command, "1,2"])
    assert refused.exit_code == 1
    assert "the filters use channel 3, which is not chosen" in refused.stderr
    separate(talk, "-o", out, "--force", "--save-filters", filters, "--channels", "1,2")
    assert CliRunner().invoke(cli, [*command, "1,2"]).exit_code == 0


def test_info_looks_at_the_channels_that_are_chosen(record):
    waveform = mixture(3, 6 * SAMPLE_RATE)
    waveform[1] = np.clip(waveform[1], -0.02, 0.02)
    talk = record(waveform=waveform)
    shown = json.loads(CliRunner().invoke(cli, ["info", f"{talk}", "--json"]).stdout)
    assert "clipped" in {warning["class"] for warning in shown["warnings"]}
    command = ["info", f"{talk}", "--channels", "1,3"]
    chosen = json.loads(CliRunner().invoke(cli, [*command, "--json"]).stdout)
    assert "clipped" not in {warning["class"] for warning in chosen["warnings"]}
    assert chosen["settings"]["channels"] == [0, 2]
    told = CliRunner().invoke(cli, command).stdout
    assert "not chosen" in told
    assert "into at most 2 speakers" in told
    beyond = json.loads(CliRunner().invoke(cli, [*command[:-1], "1,4", "--json"]).stdout)
    assert "channels 1, 4" in beyond["obstacle"]["what"]


def test_each_source_is_written_where_it_is_loudest(record, out):
    talk = record(waveform=mixture(3), subtype="FLOAT")
    result = separate(talk, "-o", out, "--ref-channel", "loudest", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["settings"]["ref_chan"] == "loudest"
    assert found["outputs_sum"] is (len(set(found["output_channels"])) == 1)
    assert separate(talk, "-o", out, "--ref-channel", "loud").exit_code == 2
