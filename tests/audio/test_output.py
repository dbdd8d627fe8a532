"""Outputs: right to the last byte, all of a set or none, whatever ends the run."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import struct
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auxiva_cli.audio import OutputFormat, open_outputs, open_recording, output_subtype
from auxiva_cli.audio.output import OutputSet
from auxiva_cli.audio.standard_output import StagedStream
from auxiva_cli.audio.wav_header import wav_header
from auxiva_cli.errors import AuxivaError, OutputError, ParameterError

RATE = 16_000
N_SAMPLES = 5_001
SIGNALS = np.random.default_rng(7).uniform(-0.9, 0.9, (2, 1, N_SAMPLES))
WAV_16 = OutputFormat(RATE, 1, N_SAMPLES)
FORMATS = [
    *(OutputFormat(RATE, 1, N_SAMPLES, "WAV", subtype)
      for subtype in ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
    *(OutputFormat(RATE, 1, N_SAMPLES, "FLAC", subtype) for subtype in ("PCM_16", "PCM_24")),
]  # fmt: skip


def write_blocks(outputs: OutputSet, signals: np.ndarray = SIGNALS) -> None:
    """Write signals in blocks, as separation does."""
    for start in range(0, signals.shape[-1], 2000):
        outputs.write(signals[..., start : start + 2000])


def write_set(paths: list[Path], output_format: OutputFormat = WAV_16, **options: bool) -> None:
    """Write and commit a set."""
    with open_outputs(paths, output_format, **options) as outputs:
        write_blocks(outputs, SIGNALS[: len(paths)])
        outputs.commit()


def targets(directory: Path, suffix: str = "wav") -> list[Path]:
    """Return the names of a set of two."""
    return [directory / f"a_src{n}.{suffix}" for n in (1, 2)]


def contents(directory: Path) -> dict[str, bytes]:
    """Return every file of a directory, hidden ones too."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("output_format", FORMATS, ids=lambda f: f"{f.container} {f.subtype}")
def test_what_is_written_is_read_again_by_us_and_by_libsndfile(
    output_format: OutputFormat, tmp_path: Path
) -> None:
    paths = targets(tmp_path)
    write_set(paths, output_format)
    assert len(contents(tmp_path)) == 2
    step = {"PCM_16": 2**-15, "PCM_24": 2**-23, "PCM_32": 2**-31, "FLOAT": 2**-23}
    for path, signal_ in zip(paths, SIGNALS, strict=True):
        with open_recording(path) as recording:
            assert recording.warnings == ()
            assert recording.subtype == output_format.subtype
            assert recording.container == output_format.container
            block = recording.read(0, N_SAMPLES)
        assert np.abs(block - signal_).max() <= step.get(output_format.subtype, 0) / 2
        theirs, rate = soundfile.read(path, always_2d=True, dtype=block.dtype.name)
        assert rate == RATE
        np.testing.assert_array_equal(theirs.T, block)


@pytest.mark.parametrize("output_format", FORMATS, ids=lambda f: f"{f.container} {f.subtype}")
def test_equal_signals_give_equal_files_however_they_are_cut_into_blocks(
    output_format: OutputFormat, tmp_path: Path
) -> None:
    files = []
    for block_length in (N_SAMPLES, 1000):
        paths = targets(tmp_path / str(block_length))
        paths[0].parent.mkdir()
        with open_outputs(paths, output_format) as outputs:
            for start in range(0, N_SAMPLES, block_length):
                outputs.write(SIGNALS[..., start : start + block_length])
            outputs.commit()
        files.append(contents(paths[0].parent))
    assert files[0] == files[1]


def test_clipping_is_counted_and_the_fitting_gain_just_avoids_it(tmp_path: Path) -> None:
    loud = SIGNALS * 3
    with open_outputs(targets(tmp_path), WAV_16) as outputs:
        write_blocks(outputs, loud)
        assert outputs.peak == np.abs(loud).max()
        assert outputs.n_clipped == np.count_nonzero(np.rint(np.abs(loud) * 2**15) > 2**15 - 1)
        gain = outputs.fitting_gain
        outputs.rewind()
        write_blocks(outputs, gain * loud)
        assert (outputs.n_clipped, outputs.fitting_gain) == (0, 1.0)
        outputs.commit()
    blocks = [soundfile.read(path, dtype="int16")[0] for path in targets(tmp_path)]
    assert max(np.abs(block.astype(int)).max() for block in blocks) == 2**15 - 1


@pytest.mark.parametrize("output_format", FORMATS, ids=lambda f: f"{f.container} {f.subtype}")
def test_a_rewound_set_is_the_same_as_a_fresh_one(
    output_format: OutputFormat, tmp_path: Path
) -> None:
    for name in ("fresh", "rewound"):
        (tmp_path / name).mkdir()
    write_set(targets(tmp_path / "fresh"), output_format)
    with open_outputs(targets(tmp_path / "rewound"), output_format) as outputs:
        outputs.write(np.zeros((2, 1, N_SAMPLES)))
        outputs.rewind()
        write_blocks(outputs)
        outputs.commit()
    assert contents(tmp_path / "rewound") == contents(tmp_path / "fresh")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_what_is_not_finite_is_never_written(value: float, tmp_path: Path) -> None:
    output_format = OutputFormat(RATE, 1, N_SAMPLES, "WAV", "FLOAT")
    with (
        pytest.raises(AuxivaError, match=r"after sample 0"),
        open_outputs(targets(tmp_path), output_format) as outputs,
    ):
        write_blocks(outputs, np.where(np.arange(N_SAMPLES) == 99, value, SIGNALS))
    assert contents(tmp_path) == {}


def test_a_set_of_the_wrong_length_is_never_committed(tmp_path: Path) -> None:
    for n_samples in (N_SAMPLES - 1, 0):
        with open_outputs(targets(tmp_path), WAV_16) as outputs:
            write_blocks(outputs, SIGNALS[..., :n_samples])
            with pytest.raises(AuxivaError, match=f"{n_samples} samples .* {N_SAMPLES}"):
                outputs.commit()
    assert contents(tmp_path) == {}


def test_outputs_that_exist_stop_a_set_before_it_begins(tmp_path: Path) -> None:
    paths = targets(tmp_path)
    paths[1].symlink_to("nowhere")
    with pytest.raises(OutputError, match="a_src2") as failure:
        open_outputs(paths, WAV_16)
    assert failure.value.kind == "output-exists"
    assert os.listdir(tmp_path) == ["a_src2.wav"]  # noqa: PTH208


def test_who_comes_second_leaves_the_first_ones_set_alone(tmp_path: Path) -> None:
    paths = targets(tmp_path)
    with open_outputs(paths, WAV_16) as slow:
        write_blocks(slow, -SIGNALS)
        write_set(paths[1:])
        before = paths[1].read_bytes()
        with pytest.raises(OutputError) as failure:
            slow.commit()
    assert failure.value.kind == "output-exists"
    assert contents(tmp_path) == {"a_src2.wav": before}


def test_overwriting_replaces_files_and_links_themselves(tmp_path: Path) -> None:
    paths = targets(tmp_path)
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    paths[0].symlink_to(victim)
    paths[1].write_bytes(b"old")
    write_set(paths, overwrite=True)
    assert victim.read_bytes() == b"precious"
    assert not paths[0].is_symlink()
    assert [path.read_bytes()[:4] for path in paths] == [b"RIFF"] * 2
    assert len(contents(tmp_path)) == 3


def test_a_directory_is_never_overwritten_nor_anything_beside_it(tmp_path: Path) -> None:
    paths = targets(tmp_path)
    paths[1].mkdir()
    with pytest.raises(OutputError, match=r"a_src2\.wav' is a directory"):
        open_outputs(paths, WAV_16, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a_src2.wav"]


def test_without_hard_links_nothing_is_overwritten_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    paths = targets(tmp_path)
    write_set(paths)
    before = contents(tmp_path)
    assert sorted(before) == ["a_src1.wav", "a_src2.wav"]
    paths[0].unlink()
    with open_outputs(paths[:1], WAV_16) as outputs:
        write_blocks(outputs, SIGNALS[:1])
        paths[0].write_bytes(b"quicker")
        with pytest.raises(OutputError):
            outputs.commit()
    assert contents(tmp_path) == {**before, "a_src1.wav": b"quicker"}


@contextlib.contextmanager
def largest_file(n_bytes: int) -> Iterator[None]:
    """Let the system refuse files beyond a size, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("container", ["WAV", "FLAC"])
def test_a_disk_that_fills_up_at_any_place_leaves_nothing(container: str, tmp_path: Path) -> None:
    n_samples = 20_000
    output_format = OutputFormat(RATE, 1, n_samples, container)
    noise = np.random.default_rng(1).uniform(-1, 1, (2, 1, n_samples))

    def write_under_limit(limit: int) -> None:
        with largest_file(limit), open_outputs(targets(tmp_path), output_format) as outputs:
            write_blocks(outputs, noise)
            outputs.commit()

    for limit in (*range(0, 38_000, 4096), 38_500):
        with pytest.raises(OutputError, match=r"bytes needed, \d+ free in") as failure:
            write_under_limit(limit)
        assert failure.value.kind == "no-space"
        assert contents(tmp_path) == {}


def test_a_set_that_cannot_fit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    year = OutputFormat(768_000, 64, 768_000 * 86_400 * 365, "WAV", "DOUBLE")
    with pytest.raises(OutputError, match="needed") as failure:
        open_outputs(targets(tmp_path), year)
    assert failure.value.kind == "no-space"
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("name", ["write", "fsync", "link"])
def test_an_input_output_error_is_named_and_leaves_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = getattr(os, name), 0

    def fail_second_time(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(5, "Input/output error")
        return real(*arguments)

    monkeypatch.setattr(os, name, fail_second_time)
    with pytest.raises(OutputError, match="Input/output error") as failure:
        write_set(targets(tmp_path))
    assert failure.value.kind == "write-error"
    assert contents(tmp_path) == {}


def in_a_child(action: Callable[[], None]) -> int:
    """Run something in a forked process and return its exit code, negative for a signal."""
    child = os.fork()
    if child == 0:
        try:
            action()
            os._exit(0)
        except AuxivaError as error:
            os._exit(17 if error.kind == "output-exists" else 1)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


SYSTEM_CALLS = ("open", "write", "fsync", "link", "unlink", "replace", "close")


def killed_at(step: int, action: Callable[[], None]) -> Callable[[], None]:
    """Return an action that dies by SIGKILL before its n-th system call."""

    def run() -> None:
        steps = 0

        def counted(real: Callable[..., object]) -> Callable[..., object]:
            def call(*arguments: object, **options: object) -> object:
                nonlocal steps
                steps += 1
                if steps == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **options)

            return call

        for name in SYSTEM_CALLS:
            setattr(os, name, counted(getattr(os, name)))
        action()

    return run


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("container", ["WAV", "FLAC"])
def test_a_run_killed_anywhere_is_both_or_none_after_the_next_sweep(
    container: str, tmp_path: Path
) -> None:
    output_format = OutputFormat(RATE, 1, N_SAMPLES, container)
    reference, work = tmp_path / "reference", tmp_path / "work"
    reference.mkdir()
    write_set(targets(reference), output_format)
    whole = contents(reference)
    outcomes = set()
    for step in range(1, 200):
        work.mkdir()
        exit_code = in_a_child(killed_at(step, partial(write_set, targets(work), output_format)))
        left = contents(work)
        visible = {name: left[name] for name in left if not name.startswith(".")}
        assert visible.items() <= whole.items()
        write_set([work / "next.wav"])
        swept = contents(work)
        del swept["next.wav"]
        assert swept in ({}, whole)
        outcomes.add((exit_code, len(swept)))
        shutil.rmtree(work)
        if exit_code == 0:
            break
    assert outcomes == {(-signal.SIGKILL, 0), (-signal.SIGKILL, 2), (0, 2)}


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_run_killed_while_it_overwrites_leaves_old_or_new_files_but_whole(tmp_path: Path) -> None:
    paths, old = targets(tmp_path), b"old"
    write_set(paths)
    new = contents(tmp_path)
    for step in range(1, 200):
        for path in paths:
            path.write_bytes(old)
        exit_code = in_a_child(killed_at(step, partial(write_set, paths, overwrite=True)))
        write_set([tmp_path / "next.wav"])
        (tmp_path / "next.wav").unlink()
        left = contents(tmp_path)
        assert left.keys() == new.keys()
        assert all(left[name] in (old, new[name]) for name in new)
        if exit_code == 0:
            break
    assert left == new


def test_the_files_of_a_living_run_are_not_swept(tmp_path: Path) -> None:
    with open_outputs(targets(tmp_path), WAV_16) as outputs:
        write_set([tmp_path / "other.wav"])
        write_blocks(outputs)
        outputs.commit()
    assert sorted(contents(tmp_path)) == ["a_src1.wav", "a_src2.wav", "other.wav"]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_of_runs_for_the_same_names_one_wins_whole_and_the_others_say_so(tmp_path: Path) -> None:
    for _ in range(25):
        work = tmp_path / "work"
        work.mkdir()
        children = []
        for sign in (1, -1, 0):
            child = os.fork()
            if child == 0:
                os._exit(in_a_child(partial(_race, work, sign)))
            children.append(child)
        codes = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
        assert codes == [0, 17, 17]
        first, second = (soundfile.read(path)[0] for path in targets(work))
        np.testing.assert_array_equal(first, second)
        assert len(contents(work)) == 2
        shutil.rmtree(work)


def _race(directory: Path, sign: int) -> None:
    """Write one signal into both files of a set."""
    with open_outputs(targets(directory), WAV_16) as outputs:
        write_blocks(outputs, sign * SIGNALS[[0, 0]])
        outputs.commit()


def test_names_of_any_bytes_and_of_the_longest_length_can_be_written(tmp_path: Path) -> None:
    names = [b"\xff\xfe.wav", b"x" * 251 + b".wav", b"-x \n\t[bold]\x1b]0;.wav"]
    write_set([tmp_path / os.fsdecode(name) for name in names[:2]])
    write_set([tmp_path / os.fsdecode(names[2])])
    for name in names:
        with open_recording(tmp_path / os.fsdecode(name)) as recording:
            assert os.fsencode(recording.name).endswith(name)
    with pytest.raises(OutputError, match="name too long"):
        open_outputs([tmp_path / ("x" * 256)], WAV_16)


def test_a_header_beyond_four_gibibytes_is_rf64_and_below_it_plain(tmp_path: Path) -> None:
    largest = (2**32 - 1 - 36) // 4
    for n_samples, magic in ((largest, b"RIFF"), (largest + 1, b"RF64")):
        header = wav_header(n_samples, 2, RATE, "PCM_16")
        assert header[:4] == magic
        path = tmp_path / "long.wav"
        with path.open("wb") as file:
            file.write(header)
            file.truncate(len(header) + 4 * n_samples)
        assert soundfile.info(path).frames == n_samples
        with open_recording(path) as recording:
            assert recording.n_samples == n_samples
            assert recording.warnings == ()


def test_plain_headers_are_the_canonical_44_bytes() -> None:
    expected = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 42, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16, b"data", 6,
    )  # fmt: skip
    assert wav_header(3, 1, RATE, "PCM_16") == expected


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


@pytest.mark.parametrize(
    ("container", "n_chan", "rate", "subtype"),
    [("WAV", 1, RATE, "VORBIS"), ("OGG", 1, RATE, "PCM_16"), ("FLAC", 1, RATE, "FLOAT"),
     ("FLAC", 9, RATE, "PCM_16"), ("FLAC", 1, 768_000, "PCM_16")],
)  # fmt: skip
def test_formats_that_cannot_be_written_are_refused(
    container: str, n_chan: int, rate: int, subtype: str
) -> None:
    with pytest.raises(ParameterError):
        OutputFormat(rate, n_chan, N_SAMPLES, container, subtype)


def test_outputs_keep_the_recordings_encoding_where_they_can() -> None:
    kept = ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]
    assert [output_subtype(subtype, "WAV") for subtype in kept] == kept
    assert [output_subtype(s, "FLAC") for s in kept] == ["PCM_16", *["PCM_24"] * 4]
    for subtype in ("PCM_U8", "ALAW", "ULAW", "IMA_ADPCM", "MPEG_LAYER_III", "VORBIS", "GSM610"):
        assert {output_subtype(subtype, c) for c in ("WAV", "FLAC")} == {"PCM_16"}
