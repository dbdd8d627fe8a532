"""Separation of recordings of two clocks: as well as of one, where that is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from field_recordings import RATE, drifting, late, louder, sample, voice
from signals import worst_si_sdr

from auxiva_cli import Filters, learn, separate
from auxiva_cli.cli.main import cli

FEW = {"max_iter": 4, "n_fft": 2048}


@pytest.mark.parametrize("channel", [0, 1])
def test_two_clocks_are_separated_as_well_as_one(channel: int) -> None:
    mixture, references = sample("two"), np.stack([voice("two", n) for n in (1, 2)])
    broken = drifting(mixture, channel, -125)
    expected = worst_si_sdr(references, separate(mixture, RATE).sources)
    if channel == 0:  # the clock of the reference is that of the outputs
        references = np.stack([drifting(one[None], 0, -125)[0] for one in references])
    found = separate(broken, RATE, resync=True)
    # Of 28 dB, a drift found to one part in a million over 11 s leaves 25 at least.
    assert worst_si_sdr(references, found.sources) > expected - 3
    assert worst_si_sdr(references, separate(broken, RATE).sources) < expected - 15
    np.testing.assert_allclose(found.sources.sum(axis=0), broken[0], atol=1e-6)
    assert found.filters.drifts == pytest.approx([0, 125 if channel == 0 else -125], abs=3)
    (notice,) = found.notices
    assert notice.kind == "clock-drift"
    assert "which is undone" in notice.text


def test_of_one_clock_nothing_changes() -> None:
    mixture = sample("two")[:, : 6 * RATE]
    found, expected = (separate(mixture, RATE, **FEW, resync=resync) for resync in (True, False))
    np.testing.assert_array_equal(found.sources, expected.sources)
    assert found.filters.to_bytes() == expected.filters.to_bytes()
    assert found.notices == expected.notices


def test_delays_and_gains_are_found_and_undone_besides() -> None:
    mixture = late(louder(drifting(sample("three"), 2, 200), 2, 8, 90_000), 2, 800)
    found = separate(mixture, RATE, **FEW, resync=True)
    assert {notice.kind for notice in found.notices} >= {
        "clock-drift", "channel-delayed", "gain-step",
    }  # fmt: skip
    assert found.filters.drifts == pytest.approx([0, 0, 200], abs=3)
    assert found.filters.lags.tolist() == [0, 0, pytest.approx(800, abs=8)]
    np.testing.assert_allclose(found.sources.sum(axis=0), mixture[0], atol=1e-5)


def test_saved_filters_carry_the_drift(tmp_path: Path) -> None:
    mixture = drifting(sample("two"), 1, 125)[:, : 8 * RATE]
    filters = learn(mixture, RATE, **FEW, resync=True)
    filters.save(tmp_path / "filters.npz")
    loaded = Filters.load(tmp_path / "filters.npz")
    np.testing.assert_array_equal(loaded.drifts, filters.drifts)
    expected = separate(mixture, RATE, **FEW, resync=True).sources
    np.testing.assert_allclose(loaded.apply(mixture), expected, atol=1e-6)
    images = loaded.images(mixture)
    np.testing.assert_allclose(images[:, 0], expected, atol=1e-6)
    # All on the clock of the reference: the recording without its drift.
    undrifted = sample("two")[1, : 8 * RATE]
    error = images.sum(axis=0)[1] - undrifted
    assert error[100:-100].std() < 0.05 * undrifted.std()


def test_two_recorders_from_the_command_line(tmp_path: Path) -> None:
    mixture = drifting(sample("two"), 1, 125)[:, : 8 * RATE]
    files = [str(tmp_path / f"{name}.wav") for name in "ab"]
    for path, channel in zip(files, mixture, strict=True):
        soundfile.write(path, channel, RATE, "FLOAT")
    filters, out, again = (str(tmp_path / name) for name in ("f.npz", "out", "again"))

    def run(*arguments: str) -> dict:
        result = CliRunner().invoke(cli, [*arguments, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    quick = ["--n-fft", "2048", "-n", "4", "--array", *files, "--stem", "t", "--all-channels"]
    record = run("separate", *quick, "--resync", "-o", out, "--save-filters", filters)
    assert record["settings"]["resync"] is True
    assert record["check_up"]["resynced"] == [2]
    assert record["check_up"]["clock_drift_ppm"] == {"2": pytest.approx(125, abs=2)}
    assert [warning["class"] for warning in record["warnings"]] == ["clock-drift"]
    record = run("apply", filters, "--array", *files, "--stem", "t", "--all-channels", "-o", again)
    assert record["warnings"] == []
    for n in (1, 2):
        first, second = (soundfile.read(f"{place}/t_src{n}.wav")[0] for place in (out, again))
        np.testing.assert_allclose(first, second, atol=1e-6)
    record = run("separate", *quick, "-o", str(tmp_path / "unsynced"))
    assert record["check_up"]["resynced"] == []
    (said,) = [each["what"] for each in record["warnings"] if each["class"] == "clock-drift"]
    assert "resync" in said


def test_filters_for_one_clock_say_that_they_do_not_undo_a_drift(tmp_path: Path) -> None:
    filters = learn(sample("two")[:, : 8 * RATE], RATE, **FEW)
    filters.save(tmp_path / "filters.npz")
    soundfile.write(tmp_path / "drift.wav", drifting(sample("two"), 1, 125).T, RATE)
    arguments = ["apply", tmp_path / "filters.npz", tmp_path / "drift.wav", "-o", tmp_path / "out"]
    result = CliRunner().invoke(cli, [*map(str, arguments), "--json"])
    said = {each["class"]: each["what"] for each in json.loads(result.stdout)["warnings"]}
    assert "more than the filters undo" in said["clock-drift"]
