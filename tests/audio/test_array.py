"""Several files as one recording: rows in order, and only what belongs together."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auxiva_cli.audio import open_array
from auxiva_cli.errors import RecordingError

RATE = 16_000
N_SAMPLES = 3000
NOISE = np.random.default_rng(2).uniform(-1, 1, (3, N_SAMPLES))

Microphone = Callable[..., Path]


@pytest.fixture
def microphone(tmp_path: Path) -> Microphone:
    """Record one microphone."""

    def record(name: str, samples: np.ndarray, *, rate: int = RATE, subtype: str = "FLOAT") -> Path:
        path = tmp_path / name
        soundfile.write(path, samples.T, rate, subtype)
        return path

    return record


def test_files_are_channels_in_the_order_given(microphone: Microphone) -> None:
    paths = [microphone(f"{i}.wav", row) for i, row in enumerate(NOISE)]
    with open_array(paths[::-1]) as recording:
        assert (recording.n_chan, recording.n_samples) == NOISE.shape
        assert recording.warnings == ()
        block = recording.read(100, 50)
        assert block.dtype == recording.dtype == "float32"
        np.testing.assert_array_equal(block, NOISE[::-1, 100:150].astype("f4"))


def test_files_of_several_channels_give_them_one_after_the_other(microphone: Microphone) -> None:
    paths = [microphone("a.wav", NOISE[:2]), microphone("b.wav", NOISE[2])]
    for order, expected in ((1, NOISE), (-1, NOISE[[2, 0, 1]])):
        with open_array(paths[::order]) as recording:
            assert recording.n_chan == 3
            np.testing.assert_array_equal(recording.read(7, 50), expected[:, 7:57].astype("f4"))
    crowd = microphone("crowd.wav", np.zeros((40, 10)))
    with pytest.raises(RecordingError, match="80 channels"):
        open_array([crowd, crowd])


def test_a_file_that_is_written_to_is_noticed(microphone: Microphone) -> None:
    paths = [microphone("a.wav", NOISE[0]), microphone("b.wav", NOISE[1])]
    with open_array(paths) as recording:
        recording.check_unchanged()
        os.utime(paths[1], ns=(0, 0))
        with pytest.raises(RecordingError, match="changed while it was read"):
            recording.check_unchanged()


def test_the_shortest_file_counts_and_that_is_said(microphone: Microphone) -> None:
    paths = [microphone("a.wav", NOISE[0]), microphone("b.wav", NOISE[1, :-100])]
    with open_array(paths) as recording:
        assert recording.n_samples == N_SAMPLES - 100
        assert [notice.kind for notice in recording.warnings] == ["array-lengths-differ"]
    with pytest.raises(RecordingError, match=r"'b\.wav' has 2900 .*'a\.wav' has 3000.*0\.006 s"):
        open_array(paths, length_tolerance=0.005)


def test_the_finest_encoding_is_the_arrays(microphone: Microphone) -> None:
    paths = [
        microphone("a.wav", NOISE[0], subtype="PCM_16"),
        microphone("b.wav", NOISE[1], subtype="DOUBLE"),
        microphone("c.wav", NOISE[2], subtype="ULAW"),
    ]
    with open_array(paths) as recording:
        assert (recording.subtype, recording.dtype) == ("DOUBLE", "float64")
        np.testing.assert_array_equal(recording.read(0, N_SAMPLES)[1], NOISE[1])


def test_files_that_do_not_belong_together_are_refused(microphone: Microphone) -> None:
    first = microphone("a.wav", NOISE[0])
    other_rate = microphone("rate.wav", NOISE[0], rate=48_000)
    with pytest.raises(RecordingError, match="48000 Hz") as failure:
        open_array([first, other_rate])
    assert failure.value.kind == "array-mismatch"
    with pytest.raises(RecordingError, match=r"'missing\.wav': No such file") as failure:
        open_array([first, first.with_name("missing.wav")])
    assert failure.value.kind == "input-missing"
    for too_few in ([], [first]):
        with pytest.raises(RecordingError, match=f"array of {len(too_few)}"):
            open_array(too_few)
