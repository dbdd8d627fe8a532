"""A set of outputs: all or none, whatever ends the run and whoever else writes there."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from output_sets import (
    N_SAMPLES,
    RATE,
    SIGNALS,
    WAV_16,
    contents,
    targets,
    write_blocks,
    write_set,
)

from auxiva_cli.audio import OutputFormat, open_outputs, prepare_directory
from auxiva_cli.errors import AuxivaError, OutputError


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


@pytest.fixture(params=["nameless", "hidden"])
def staging(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let a file system have nameless files, or not."""
    if request.param == "hidden":
        monkeypatch.setattr("auxiva_cli.audio.staging.DESCRIPTORS", Path("/nowhere"))
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("this system has no nameless files")
    return str(request.param)


@pytest.mark.usefixtures("staging")
def test_a_set_of_any_kind_has_the_rights_of_ordinary_files(tmp_path: Path) -> None:
    write_set(targets(tmp_path))
    (tmp_path / "ordinary").write_bytes(b"")
    assert len({path.stat().st_mode for path in tmp_path.iterdir()}) == 1
    assert len(contents(tmp_path)) == 3


def test_nothing_is_seen_of_a_set_before_it_is_published(staging: str, tmp_path: Path) -> None:
    paths = targets(tmp_path)
    with open_outputs(paths, WAV_16) as outputs:
        write_blocks(outputs)
        assert all(name.startswith(".") for name in contents(tmp_path))
        assert len(contents(tmp_path)) == (0 if staging == "nameless" else 2)
        paths[0].write_bytes(b"quicker")
        with pytest.raises(OutputError) as failure:
            outputs.commit()
    assert failure.value.kind == "output-exists"
    assert contents(tmp_path) == {"a_src1.wav": b"quicker"}


def test_the_sweep_takes_what_a_killed_run_left_and_nothing_else(tmp_path: Path) -> None:
    mine = tmp_path / "mine.wav"
    mine.write_bytes(b"precious")
    inode = mine.stat().st_ino
    kept = [mine, *(tmp_path / name for name in (".auxiva-7.part", f".auxiva-{inode}.part"))]
    kept[1].write_bytes(b"somebody's")
    kept[2].hardlink_to(mine)
    left, living = tmp_path / "left", tmp_path / "living"
    names = []
    for path in (left, living):
        path.write_bytes(b"half")
        names.append(tmp_path / f".auxiva-{path.stat().st_ino}.part")
        path.rename(names[-1])
    with names[1].open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        prepare_directory(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([*kept, names[1]])


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

    def fail_second_time(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(5, "Input/output error")
        return real(*arguments, **options)

    monkeypatch.setattr(os, name, fail_second_time)
    with pytest.raises(OutputError, match="Input/output error") as failure:
        write_set(targets(tmp_path))
    assert failure.value.kind == "write-error"
    assert contents(tmp_path) == {}


FAILED, UNDISTURBED, EXISTS = 1, 2, 17  # exit codes of a child


def in_a_child(action: Callable[[], None]) -> int:
    """Run something in a forked process and return its exit code, negative for a signal."""
    child = os.fork()
    if child == 0:
        try:
            action()
            os._exit(0)
        except AuxivaError as error:
            os._exit(EXISTS if error.kind == "output-exists" else FAILED)
        except BaseException:
            os._exit(FAILED)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


SYSTEM_CALLS = ("open", "write", "fsync", "link", "unlink", "replace")


def kill() -> None:
    """Die at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    """Be refused by the system."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def disturbed_at(
    step: int, disturb: Callable[[], None], action: Callable[[], None]
) -> Callable[[], None]:
    """Return an action that is disturbed before its n-th system call."""

    def run() -> None:
        steps = 0

        def counted(real: Callable[..., object]) -> Callable[..., object]:
            def call(*arguments: object, **options: object) -> object:
                nonlocal steps
                steps += 1
                if steps == step:
                    disturb()
                return real(*arguments, **options)

            return call

        for name in SYSTEM_CALLS:
            setattr(os, name, counted(getattr(os, name)))
        if sys.version_info < (3, 11):  # whose pathlib has taken hold of these functions before
            for name in ("unlink", "replace"):
                setattr(Path, name, counted(getattr(Path, name)))
        action()
        if steps < step:
            os._exit(UNDISTURBED)

    return run


def every_disturbance(disturb: Callable[[], None], action: Callable[[], None]) -> Iterator[int]:
    """Run something again and again, disturbed one system call later each time, and at last not."""
    for step in range(1, 200):
        exit_code = in_a_child(disturbed_at(step, disturb, action))
        yield exit_code
        if exit_code == UNDISTURBED:
            return


class Place:
    """Where a set goes: its outputs and a file beside them, and one that is kept elsewhere."""

    def __init__(self, parent: Path) -> None:
        self.directories = [parent / "out", parent / "elsewhere"]
        self.paths = targets(self.directories[0])
        self.beside = {
            self.directories[0] / "a.rttm": b"turns",
            self.directories[1] / "a.npz": b"filters",
        }
        for directory in self.directories:
            directory.mkdir(parents=True)

    def write(self, output_format: OutputFormat = WAV_16, *, overwrite: bool = False) -> None:
        write_set(self.paths, output_format, self.beside, overwrite=overwrite)

    def left(self) -> dict[str, bytes]:
        """Return every file, hidden ones too."""
        return contents(self.directories[0]) | contents(self.directories[1])

    def swept(self, staging: str) -> dict[str, bytes]:
        """Return every file once the next run has swept."""
        for directory in self.directories:
            prepare_directory(directory)
            for path in directory.glob(".*"):  # killed before its name held its inode
                assert staging == "hidden"
                assert path.read_bytes() == b""
                path.unlink()
        return self.left()

    def fill(self, content: bytes | None) -> None:
        """Have every file hold something, or remove all."""
        for path in (*self.paths, *self.beside):
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("container", ["WAV", "FLAC"])
def test_a_run_killed_anywhere_leaves_nothing_but_whole_files(
    container: str, staging: str, tmp_path: Path
) -> None:
    output_format = OutputFormat(RATE, 1, N_SAMPLES, container)
    reference, work = Place(tmp_path / "reference"), Place(tmp_path / "work")
    reference.write(output_format)
    whole = reference.left()
    left = []
    for _ in every_disturbance(kill, partial(work.write, output_format)):
        if staging == "nameless":
            assert not any(name.startswith(".") for name in work.left())
        left.append(work.swept(staging))
        assert left[-1].items() <= whole.items()
        work.fill(None)
    # The files come one by one, the first output after the others, and what is beside them then.
    names = ["a_src2.wav", "a_src1.wav", "a.rttm", "a.npz"]
    stages = [frozenset(names[:n]) for n in range(5)]
    assert list(dict.fromkeys(map(frozenset, left))) == stages


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_run_killed_while_it_overwrites_leaves_either_old_or_new_files(
    staging: str, tmp_path: Path
) -> None:
    place = Place(tmp_path)
    place.write()
    new = place.left()
    old = dict.fromkeys(new, b"old")
    seen = []
    place.fill(b"old")
    for _ in every_disturbance(kill, partial(place.write, overwrite=True)):
        left = place.swept(staging)
        assert left.items() <= old.items() or left.items() <= new.items()
        assert "a_src1.wav" not in left or "a_src2.wav" in left
        seen.append(left)
        place.fill(b"old")
    assert (seen[0], seen[-1]) == (old, new)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("is_there", [False, True])
def test_whatever_call_fails_everything_is_as_before_or_as_it_should_be(
    is_there: bool, staging: str, tmp_path: Path
) -> None:
    place = Place(tmp_path)
    place.write()
    new = place.left()
    before = dict.fromkeys(new, b"old") if is_there else {}
    seen = []
    place.fill(b"old" if is_there else None)
    for code in every_disturbance(fail, partial(place.write, overwrite=is_there)):
        seen.append((code, place.swept(staging)))
        place.fill(b"old" if is_there else None)
    # Without locks or nameless files, and with an old file that stays hidden, it goes on.
    assert all(left == (before if code == FAILED else new) for code, left in seen)
    assert [code for code, _ in seen].count(FAILED) > len(seen) / 2


@pytest.mark.usefixtures("staging")
def test_the_files_of_a_living_run_are_not_swept(tmp_path: Path) -> None:
    with open_outputs(targets(tmp_path), WAV_16) as outputs:
        prepare_directory(tmp_path)
        write_set([tmp_path / "other.wav"])
        write_blocks(outputs)
        outputs.commit()
    assert sorted(contents(tmp_path)) == ["a_src1.wav", "a_src2.wav", "other.wav"]


def test_a_directory_that_stays_locked_is_said_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("auxiva_cli.audio.staging.SILENT_WAIT", 0.1)
    monkeypatch.setattr("auxiva_cli.audio.staging.LONGEST_WAIT", 0.3)
    out = tmp_path / "out"
    out.mkdir()
    descriptor = os.open(out, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(OutputError, match="locked by another program for") as failure:
        write_set(targets(out))
    os.close(descriptor)
    assert failure.value.kind == "write-error"
    assert [record.message for record in caplog.records] == [
        f"{str(out)!r} is locked by another program; waiting for it"
    ]
    assert contents(out) == {}
    write_set(targets(out))
    assert len(caplog.records) == 1


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("overwrite", [False, True])
def test_of_runs_for_the_same_names_one_wins_whole_and_the_others_say_so(
    overwrite: bool, tmp_path: Path
) -> None:
    for _ in range(15):
        work = tmp_path / "work"
        work.mkdir()
        children = []
        for sign in (1, -1, 0):
            child = os.fork()
            if child == 0:
                os._exit(in_a_child(partial(_race, work, sign, overwrite)))
            children.append(child)
        codes = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
        assert codes == ([0, 0, 0] if overwrite else [0, EXISTS, EXISTS])
        first, second = (soundfile.read(path)[0] for path in targets(work))
        np.testing.assert_array_equal(first, second)
        assert len(contents(work)) == 2
        shutil.rmtree(work)


def _race(directory: Path, sign: int, overwrite: bool) -> None:
    """Write one signal into both files of a set."""
    with open_outputs(targets(directory), WAV_16, overwrite=overwrite) as outputs:
        write_blocks(outputs, sign * SIGNALS[[0, 0]])
        outputs.commit()
