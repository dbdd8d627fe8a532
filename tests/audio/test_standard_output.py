"""Standard output: the finished file at once, or nothing and the reason."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from output_sets import N_SAMPLES, RATE, SIGNALS, contents, write_blocks

from auxiva_cli.audio import OutputFormat, open_recording
from auxiva_cli.audio.output import OutputSet
from auxiva_cli.audio.staging import StagedStream
from auxiva_cli.errors import OutputError


def test_a_stream_gets_the_finished_file_with_the_channels_of_every_output(tmp_path: Path) -> None:
    path = tmp_path / "piped.wav"
    with (
        path.open("wb") as file,
        OutputSet(StagedStream(file.fileno()), OutputFormat(RATE, 2, N_SAMPLES)) as outputs,
    ):
        write_blocks(outputs)
        assert path.stat().st_size == 0
        outputs.commit()
    with open_recording(path) as recording:
        assert recording.warnings == ()
        block = recording.read(0, N_SAMPLES)
    assert np.abs(block - SIGNALS[:, 0]).max() <= 2.0**-16


def test_a_pipe_that_does_not_wait_gets_everything_too() -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    received: list[bytes] = []
    with open(read_end, "rb") as reader:  # noqa: PTH123
        consumer = threading.Thread(target=lambda: received.append(reader.read()))
        with OutputSet(
            StagedStream(write_end), OutputFormat(RATE, 2, N_SAMPLES, subtype="DOUBLE")
        ) as outputs:
            write_blocks(outputs)
            consumer.start()
            outputs.commit()
        os.close(write_end)
        consumer.join()
    assert received[0].endswith(SIGNALS[:, 0].T.astype("<f8").tobytes())


@pytest.mark.parametrize("is_read", [True, False])
def test_what_goes_into_a_file_appears_after_the_stream(is_read: bool, tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    path, kept = tmp_path / "a.npz", b"filters"
    with OutputSet(StagedStream(write_end), OutputFormat(RATE, 2, 0)) as outputs:
        outputs.add(path, kept)
        if not is_read:
            os.close(read_end)
        with contextlib.nullcontext() if is_read else pytest.raises(OutputError):
            outputs.commit()
    os.close(write_end)
    if is_read:
        os.close(read_end)
    assert contents(tmp_path) == ({path.name: kept} if is_read else {})


def test_a_stream_whose_reader_is_gone_or_whose_disk_is_full_is_named() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    full = os.open("/dev/full", os.O_WRONLY)
    for stream, kind in ((write_end, "output-closed"), (full, "write-error")):
        with OutputSet(StagedStream(stream), OutputFormat(RATE, 2, N_SAMPLES)) as outputs:
            write_blocks(outputs)
            with pytest.raises(OutputError) as failure:
                outputs.commit()
        os.close(stream)
        assert failure.value.kind == kind


def test_a_signal_ends_the_wait_for_a_reader_even_where_another_thread_gets_it() -> None:
    class StoppedError(Exception):
        """What the handler raises."""

    def stop(*_: object) -> None:
        raise StoppedError

    def signal_when_the_pipe_is_full() -> None:
        while select.select([], [write_end], [], 0)[1]:
            pass
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    read_end, write_end = os.pipe()
    content = OutputFormat(RATE, 2, 2**15, subtype="DOUBLE")  # more than a pipe holds
    sender = threading.Thread(target=signal_when_the_pipe_is_full)
    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with OutputSet(StagedStream(write_end), content) as outputs:
            outputs.write(np.zeros((1, 2, 2**15)))
            sender.start()
            with pytest.raises(StoppedError):
                outputs.commit()
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)
        os.close(read_end)
        os.close(write_end)
