"""``auxiva apply``: saved filters do what they did, bit by bit, and nothing else is done."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import (
    ENVIRONMENT,
    N_SAMPLES,
    command,
    contents,
    heard,
    mixture,
    records,
    separate,
)

from auxiva_cli.cli.main import cli


def apply(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(cli, ["apply", *map(str, arguments)])


@pytest.fixture
def filters(tmp_path, record):
    """Return a file of filters for two channels."""
    path = tmp_path / "filters.npz"
    result = separate(record(), "-o", tmp_path / "learnt", "--save-filters", path)
    assert result.exit_code == 0, result.stderr
    return path


LOUD = np.clip(mixture() * 5, -0.999, 0.999)
CASES = {
    "as it is": (mixture(), "PCM_16", ()),
    "with the gain that keeps it from clipping": (LOUD, "PCM_16", ()),
    "at all channels": (LOUD, "PCM_16", ("--all-channels",)),
    "fewer sources than channels": (mixture(3), "PCM_24", ("-s", 2)),
    "at another microphone": (mixture(3), "FLOAT", ("--ref-channel", 3)),
    "one source": (LOUD, "PCM_16", ("--pick", 1)),
    "as FLAC": (LOUD, "PCM_16", ("--format", "flac")),
    "with a dead channel": (np.insert(mixture(), 1, 0, axis=0), "PCM_16", ()),
    "with an offset": (0.3 * mixture() + 0.2, "FLOAT", ()),
    "from a stretch": (mixture(), "FLOAT", ("--learn-from", "0.2-1.2")),
}
LEARNING = ("-s", "--ref-channel", "--learn-from")


@pytest.mark.parametrize(("waveform", "subtype", "options"), CASES.values(), ids=CASES)
def test_the_recording_they_were_learnt_from_gives_the_same_bytes(
    record, out, tmp_path, waveform, subtype, options
):
    talk, filters = record(waveform=waveform, subtype=subtype), tmp_path / "filters.npz"
    learnt = separate(talk, "-o", out, "--save-filters", filters, *options, "--json")
    assert learnt.exit_code == 0, learnt.stderr
    rest = () if options[:1] and options[0] in LEARNING else options
    applied = apply(filters, talk, "-o", tmp_path / "again", *rest, "--json")
    assert applied.exit_code == 0, applied.stderr
    assert contents(tmp_path / "again") == contents(out) != {}
    gains = [json.loads(result.stdout)["gain"] for result in (learnt, applied)]
    assert gains[0] == gains[1]
    assert (gains[0] < 1) == (waveform is LOUD)


@pytest.mark.parametrize("pick", [1, 2])
def test_a_picked_source_gets_the_gain_that_fits_it_wherever_it_was_the_strongest(
    record, out, tmp_path, pick
):
    rng = np.random.default_rng(0)
    loudness = np.repeat([[0.2, 0.05], [0.02, 0.4]], N_SAMPLES // 2, axis=1)
    turns = np.repeat(rng.gamma(0.3, size=(2, N_SAMPLES // 400)), 400, axis=1)
    sources = loudness * turns * rng.laplace(size=(2, N_SAMPLES))
    talk = record(waveform=[[1.0, 0.9], [0.6, -1.0]] @ sources, subtype="FLOAT")
    options = ("--learn-from", "0-0.75")
    assert separate(talk, "-o", tmp_path / "whole", *options).exit_code == 0
    peaks = np.abs(heard(tmp_path / "whole", "talk")).max(axis=1)
    assert max(peaks) > max(1, 2 * min(peaks))
    result = separate(talk, "-o", out, *options, "--pick", pick, "--subtype", "PCM_16", "--json")
    gain = json.loads(result.stdout)["gain"]
    assert gain == pytest.approx(min(1.0, 1 / peaks[pick - 1]), rel=1e-4)


def test_another_recording_of_the_same_room_is_separated(record, out, filters):
    other = record("other.wav", mixture(seed=1), subtype="FLOAT")
    assert apply(filters, other, "-o", out).exit_code == 0
    np.testing.assert_allclose(heard(out, "other").sum(axis=0), mixture(seed=1)[0], atol=1e-6)


def test_nothing_is_learnt(record, out, filters):
    result = apply(filters, record(), "-o", out, "--json")
    found = json.loads(result.stdout)
    assert (found["passes"], found["iterations"], found["stages"]) == (2, 0, [])


def test_filters_of_other_microphones_are_an_error_and_the_rest_is_done(record, out, filters):
    others = [
        record("three.wav", n_chan=3),
        record("rate.wav", rate=16_000),
        record("fits.wav"),
    ]
    result = apply(filters, *others, "-o", out, "--json")
    assert result.exit_code == 1
    found = {line["input"]: line for line in map(json.loads, result.stdout.splitlines())}
    for path, theirs in zip(
        others, ["3 channels at 8000 Hz", "2 channels at 16000 Hz"], strict=False
    ):
        error = found[os.fspath(path)]["error"]
        assert error["class"] == "bad-filters"
        assert theirs in error["what"]
    assert sorted(contents(out)) == ["fits_src1.wav", "fits_src2.wav"]


@pytest.mark.parametrize("content", [b"", b"RIFF", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_holds_no_filters_ends_the_command_before_anything_is_written(
    record, out, tmp_path, content
):
    bad = tmp_path / "bad.npz"
    bad.write_bytes(content)
    result = apply(bad, record(), "-o", out)
    assert result.exit_code == 1
    assert "bad.npz" in result.stderr
    assert "Traceback" not in result.stderr
    assert not out.exists()


def test_filters_are_not_overwritten_unless_that_is_asked_for(record, out, filters):
    before = filters.read_bytes()
    result = separate(record("b.wav", seed=3), "-o", out, "--save-filters", filters)
    assert result.exit_code == 2
    assert (filters.read_bytes(), contents(out)) == (before, {})
    forced = separate(record("b.wav", seed=3), "-o", out, "--save-filters", filters, "--force")
    assert forced.exit_code == 0
    assert filters.read_bytes() != before


def test_a_recording_whose_filters_are_missing_is_not_done(record, out, tmp_path):
    path = tmp_path / "elsewhere" / "filters.npz"
    line = (record(), "-o", out, "--save-filters", path, "--json", "--skip-existing")
    statuses = []
    for lost in (None, None, path, out / "talk_src1.wav"):
        if lost is not None:
            lost.unlink()
        result = separate(*line)
        statuses += [record["status"] for record in records(result.stdout).values()]
    assert statuses == ["separated", "skipped", "separated"]
    assert "exists already" in result.stderr  # it may be another recording's
    assert result.exit_code == 2


def writing(arguments):
    """Start a command on a terminal, wait until it shows that it writes, and return it."""
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        arguments,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env=ENVIRONMENT | {"TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(terminal)
    shown = b""
    while not re.search(rb"writing ", shown):
        shown += os.read(screen, 4096)
    return process, screen


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("name", ["separate", "apply"])
def test_what_is_killed_while_it_writes_leaves_nothing(record, out, tmp_path, name, number):
    talk, filters = record(waveform=np.tile(mixture(), 200)), tmp_path / "filters.npz"
    learn = ("--n-fft", "512", "--hop", "16", "-n", "1", "--learn-from", "0-1")
    if name == "separate":
        arguments = command(talk, "-o", out, "--save-filters", filters, quick=learn)
    else:
        short = record("short.wav")
        separate(short, "-o", tmp_path / "learnt", *learn, "--save-filters", filters)
        arguments = command(talk, "-o", out, quick=(os.fspath(filters),))
        arguments[arguments.index("separate")] = "apply"
    process, screen = writing(arguments)
    process.send_signal(number)
    assert process.wait(timeout=60) == (143 if number == signal.SIGTERM else -signal.SIGKILL)
    os.close(screen)
    assert not any(file.endswith(".wav") for file in contents(out))
    assert filters.exists() == (name == "apply")
    if number == signal.SIGKILL:  # what is hidden goes when the next run begins
        separate(record("other.wav"), "-o", out)
        assert sorted(contents(out)) == ["other_src1.wav", "other_src2.wav"]
    else:
        assert contents(out) == {}
