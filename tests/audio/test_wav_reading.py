"""WAV in: the same samples whatever the header says and however the file arrives."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from wav_builders import (
    A_LAW,
    AUDIO,
    MU_LAW,
    N_SAMPLES,
    RATE,
    SAMPLES,
    Case,
    bad_files,
    chunk,
    ds64,
    fmt,
    good_files,
    odd_files,
    wav,
)

from auxiva_cli.audio import open_recording
from auxiva_cli.errors import RecordingError

Transport = Callable[[bytes], Path]
READABLE = good_files() | odd_files()
REFUSED = bad_files()


@pytest.fixture(params=["file", "pipe", "fifo"])
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Transport]:
    """Bring bytes to a name that can be opened: a file, /dev/fd of a pipe, or a FIFO."""
    open_ends: list[int] = []
    writers: list[threading.Thread] = []

    def send(content: bytes) -> Path:
        path = tmp_path / "recording.wav"
        if request.param == "file":
            path.write_bytes(content)
            return path
        if request.param == "fifo":
            os.mkfifo(path)
        else:
            read_end, write_end = os.pipe()
            open_ends.append(read_end)
            path = Path(f"/dev/fd/{read_end}")

        def write() -> None:
            end = os.open(path, os.O_WRONLY) if request.param == "fifo" else write_end
            try:
                with os.fdopen(end, "wb") as stream:
                    stream.write(content)
            except BrokenPipeError:
                pass  # what is refused by its first bytes is not read to its end

        writers.append(threading.Thread(target=write))
        writers[-1].start()
        return path

    yield send
    for end in open_ends:
        os.close(end)
    for writer in writers:
        writer.join()


@pytest.mark.parametrize("name", READABLE)
def test_samples_and_notices_do_not_depend_on_header_or_transport(
    name: str, transport: Transport
) -> None:
    case: Case = READABLE[name]
    with open_recording(transport(case.content)) as recording:
        assert (recording.n_chan, recording.n_samples) == case.samples.shape
        assert recording.sample_rate == RATE
        assert tuple(notice.kind for notice in recording.warnings) == case.notices
        block = recording.read(0, recording.n_samples)
        assert block.dtype == recording.dtype
        np.testing.assert_array_equal(block, case.samples)
        np.testing.assert_array_equal(recording.read(7, 90), case.samples[:, 7:97])
        assert recording.read(N_SAMPLES, 0).shape == (recording.n_chan, 0)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trusted_is_refused_with_its_reason(name: str, transport: Transport) -> None:
    content, kind, words = REFUSED[name]
    with pytest.raises(RecordingError, match=words) as failure:
        open_recording(transport(content))
    assert failure.value.kind == kind
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("name", ["half", "inside a sample", "streamed, inside a sample"])
def test_a_truncated_recording_is_used_when_that_is_allowed(
    name: str, transport: Transport
) -> None:
    with open_recording(transport(REFUSED[name][0]), allow_truncated=True) as recording:
        n_samples = 200 if name == "half" else 400
        assert [notice.kind for notice in recording.warnings] == ["input-truncated"]
        assert recording.n_samples == n_samples
        np.testing.assert_array_equal(recording.read(0, n_samples), SAMPLES[:, :n_samples])


@pytest.mark.parametrize(("tag", "subtype"), [(A_LAW, "ALAW"), (MU_LAW, "ULAW")])
def test_every_g711_code_is_decoded_as_libsndfile_does(
    tag: int, subtype: str, transport: Transport, tmp_path: Path
) -> None:
    codes = bytes(range(256)) * 2
    raw = tmp_path / "codes.raw"
    raw.write_bytes(codes)
    expected, _ = soundfile.read(
        raw, samplerate=RATE, channels=2, subtype=subtype, format="RAW", dtype="float32"
    )
    with open_recording(transport(wav(fmt(tag, bits=8), codes))) as recording:
        assert recording.subtype == subtype
        np.testing.assert_array_equal(recording.read(0, 256), expected.T)


@pytest.mark.parametrize("kind", ["wrapped", "wrapped, LIST after", "streamed", "RF64"])
def test_every_sample_beyond_four_gibibytes_is_found(kind: str, tmp_path: Path) -> None:
    n_bytes = 5 * 2**30 + 8
    after = chunk(b"LIST", b"INFO") if "LIST" in kind else b""
    match kind:
        case "RF64":
            head = wav(fmt(), b"", magic=b"RF64", before=ds64(n_bytes), data_size=2**32 - 1)
        case "streamed":
            head = wav(fmt(), b"", data_size=2**32 - 1)
        case _:
            head = wav(fmt(), b"", data_size=n_bytes % 2**32)
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.write(head)
        file.seek(n_bytes - 8, os.SEEK_CUR)
        file.write(struct.pack("<4h", 1, 2, 3, 4) + after)
    with open_recording(path) as recording:
        assert recording.n_samples == n_bytes // 4
        last = recording.read(recording.n_samples - 3, 3) * 2**15
        np.testing.assert_array_equal(last, [[0, 1, 3], [0, 2, 4]])
        notices = [notice.kind for notice in recording.warnings]
        assert notices == ([] if kind == "RF64" else ["size-field-wrong"])


def test_reading_outside_the_recording_is_a_programming_error(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(fmt(), AUDIO))
    with open_recording(path) as recording:
        for start, n_samples in [(-1, 2), (0, N_SAMPLES + 1), (5, -1), (N_SAMPLES, 1)]:
            with pytest.raises(IndexError):
                recording.read(start, n_samples)


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(fmt(), AUDIO))
    with open_recording(path) as recording:
        os.truncate(path, 100)
        with pytest.raises(RecordingError, match="56 of 1604 bytes") as failure:
            recording.read(0, N_SAMPLES)
    assert failure.value.kind == "read-error"


def test_a_file_that_is_overwritten_in_place_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(fmt(), AUDIO))
    os.utime(path, ns=(0, 0))
    with open_recording(path) as recording:
        recording.read(0, N_SAMPLES)
        recording.check_unchanged()
        path.write_bytes(wav(fmt(), bytes(len(AUDIO))))
        with pytest.raises(RecordingError, match="changed while it was read") as failure:
            recording.check_unchanged()
    assert failure.value.kind == "read-error"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to count descriptors")
def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    def count() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    contents = [case.content for case in READABLE.values()] + [bad[0] for bad in REFUSED.values()]
    path = tmp_path / "a.wav"
    before = count()
    for content in contents:
        path.write_bytes(content)
        with contextlib.suppress(RecordingError):
            open_recording(path).close()
    assert count() == before
