"""``--learn-from`` and ``--max-memory``: what is learnt from, and how much of it is kept."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import ENVIRONMENT, SAMPLE_RATE, contents, heard, mixture, separate

from auxiva_cli.filters import Filters

MIB = 2**20
WITH_PEAK = r"""
import atexit, re, sys
from pathlib import Path

def tell_peak():
    status = Path("/proc/self/status").read_text()
    print(1024 * int(re.search(r"VmHWM:\s+(\d+)", status)[1]))

atexit.register(tell_peak)
from auxiva_cli.__main__ import main
sys.exit(main())
"""


def test_filters_of_a_stretch_are_those_of_the_recording_cut_to_it(record, out, tmp_path):
    waveform = mixture(n_samples=3 * SAMPLE_RATE)
    whole = record("whole.wav", waveform)
    cut = record("cut.wav", waveform[:, SAMPLE_RATE : round(2.5 * SAMPLE_RATE)])
    for talk, options in ((whole, ("--learn-from", "1-0:02.5")), (cut, ())):
        path = tmp_path / f"{talk.stem}.npz"
        result = separate(talk, "-o", out, "--save-filters", path, *options)
        assert result.exit_code == 0, result.stderr
    ours, theirs = (Filters.load(tmp_path / f"{name}.npz").G for name in ("whole", "cut"))
    # Sources of nearly equal energy may be in another order over all of the recording.
    same = [any(np.array_equal(a, b) for b in theirs) for a in ours]
    assert all(same)


def test_the_outputs_cover_the_whole_recording_and_sum_to_the_microphone(record, out):
    waveform = mixture(n_samples=3 * SAMPLE_RATE)
    result = separate(record(waveform=waveform, subtype="FLOAT"), "-o", out, "--learn-from", "1-2")
    assert result.exit_code == 0, result.stderr
    np.testing.assert_allclose(heard(out, "talk").sum(axis=0), waveform[0], atol=1e-6)


@pytest.mark.parametrize("stretch", ["1:00-2:00", "1.5-2", "1.49-9"])
def test_a_stretch_beyond_the_end_is_an_error(record, out, stretch):
    result = separate(record(), "-o", out, "--learn-from", stretch, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["class"] == "too-short"
    assert contents(out) == {}


@pytest.mark.parametrize(
    ("option", "value"),
    [("--learn-from", "5-3"), ("--learn-from", "1:75-2:00"), ("--max-memory", "0"),
     ("--max-memory", "much")],
)  # fmt: skip
def test_what_is_no_stretch_or_amount_is_a_wrong_command_line(record, out, option, value):
    result = separate(record(), "-o", out, option, value)
    assert result.exit_code == 2
    assert option in result.stderr
    assert not out.exists()


def test_too_little_memory_is_an_error_that_says_how_much_it_takes(record, out):
    result = separate(record(), "-o", out, "--max-memory", "64MiB", "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert error["class"] == "resource-limit"
    assert re.search(r"at least \d+ MiB of memory, 64 MiB are allowed", error["what"])
    assert contents(out) == {}


def peak_memory(*arguments):
    """Run auxiva as a process of its own, and return the most memory that it took."""
    done = subprocess.run(
        [sys.executable, "-c", WITH_PEAK, *map(str, arguments)],
        capture_output=True,
        env=ENVIRONMENT | {"OPENBLAS_NUM_THREADS": "1"},
        timeout=60,
        check=True,
    )
    return int(done.stdout)


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the system does not tell a peak"
)


@needs_proc
def test_learning_takes_no_more_memory_than_is_allowed(record, out):
    # Kept whole, the tables take 130 MiB: all that is allowed, were it not for the process itself.
    talk = record(waveform=np.tile(mixture(4), 90))
    budget = 160 * MIB
    peak = peak_memory(
        "separate", talk, "-o", out, "--max-memory", budget, "--threads", 1,
        "--n-fft", 128, "-n", 2, "--model", "laplace",
    )  # fmt: skip
    assert peak < budget


@needs_proc
def test_applying_takes_the_same_memory_however_long_a_recording_is(record, out, tmp_path):
    filters = tmp_path / "filters.npz"
    assert separate(record(n_chan=4), "-o", out, "--save-filters", filters).exit_code == 0
    short, long = (
        record(f"{n}.wav", np.tile(mixture(4), n)) for n in (50, 170)
    )  # more than the minute that is looked at; the longer one takes 46 MiB more as floats
    peaks = [
        peak_memory("apply", filters, talk, "-o", out, "--threads", 1) for talk in (short, long)
    ]
    assert peaks[1] - peaks[0] < 4 * MIB
