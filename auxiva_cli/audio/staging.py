"""Files that appear under their names complete and together, or not at all.

They have no name while they are written, so nothing is left of a run that is killed.  Where the
file system has no nameless files (``O_TMPFILE``) they have a hidden one, and so has a file for the
moment in which it takes another's place.  A killed run may leave those: they are swept.

Names are given one after the other, the first file's last; what is replaced has lost them all
before, the first file's first.  A run killed in between leaves either old or new files, and a set
without its first file, which is no whole one to anybody: the next run completes it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from auxiva_cli.audio.descriptors import (
    reader_at,
    stream_error,
    temporary_descriptor,
    temporary_directory,
    write_all,
    write_error,
    write_stream,
)
from auxiva_cli.audio.names import check_targets
from auxiva_cli.errors import OutputError

__all__ = ["StagedFiles", "StagedStream", "landmark", "prepare_directory", "write_file"]

DESCRIPTORS = Path("/proc/self/fd")  # by which a nameless file is given its name
PIPE_BYTES = 2**20
LOOK_UP_SECONDS = 0.05
SILENT_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds
LOG = logging.getLogger(__name__)


class StagedFiles:
    """New files that nobody sees until they are published, together.

    Parameters
    ----------
    targets : sequence of Path
        The names to publish them under, in existing directories.
    overwrite : bool
        Replace what has these names; otherwise that is an error.

    Attributes
    ----------
    descriptors : list of int
        The open files, in the order of the targets.

    Raises
    ------
    OutputError
        ``output-exists``, ``no-space`` or ``write-error``.
    """

    def __init__(self, targets: Sequence[Path], *, overwrite: bool) -> None:
        check_targets(targets, overwrite=overwrite)
        self.targets: list[Path] = []
        self.overwrite = overwrite
        self.descriptors: list[int] = []
        self.hidden: dict[int, Path] = {}  # by descriptor
        try:
            for index, target in enumerate(targets):
                self._create(target, index)
        except BaseException:
            self.discard()
            raise

    @property
    def directory(self) -> Path:
        """Where the first of them goes."""
        return self.targets[0].parent

    def add(self, target: Path, content: bytes) -> None:
        """Let one more file, which is small and finished, appear as the first of all.

        Raises
        ------
        OutputError
            ``output-exists``, ``no-space`` or ``write-error``.
        """
        check_targets([target], overwrite=self.overwrite)
        descriptor = self._create(target, 0)
        with _writing_in(target.parent, n_bytes=len(content)):
            write_all(descriptor, content)
            os.fsync(descriptor)

    def publish(self) -> None:
        """Give every file its name.

        Raises
        ------
        OutputError
            ``output-exists`` if another run was quicker, or ``write-error``; no new name stays, and
            of several files those that were to be replaced are there again.
        """
        with contextlib.ExitStack() as locks:
            for directory in self._directories():
                locks.enter_context(_locked(directory))
            check_targets(self.targets, overwrite=self.overwrite)
            self._name_all()

    def discard(self) -> None:
        """Remove what is not published, and close the files."""
        for descriptor, hidden in self.hidden.items():
            _unlink_if_same(hidden, os.fstat(descriptor))
        self.hidden.clear()
        while self.descriptors:
            os.close(self.descriptors.pop())  # and with it goes the lock

    def _create(self, target: Path, index: int) -> int:
        """Create one file, without a name where that is possible, and lock it."""
        directory, hidden = target.parent, None
        with _writing_in(directory):
            descriptor = _open_nameless(directory)
            if descriptor is None:
                hidden = directory / f".auxiva-{secrets.token_hex(8)}.part"
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                descriptor = os.open(hidden, flags, 0o666)
            self.targets.insert(index, target)
            self.descriptors.insert(index, descriptor)
            if hidden is not None:
                self.hidden[descriptor] = hidden
                self.hidden[descriptor] = hidden.replace(_hidden_path(directory, descriptor))
        with contextlib.suppress(OSError):
            _try_lock(descriptor)
        return descriptor

    def _name_all(self) -> None:
        """Give every file its name, the first file last: where that is, the set is whole.

        None of them gets it, if one fails.  A single file takes another's place in one step.
        """
        files = [*zip(self.descriptors, self.targets, strict=True)]
        is_set = len(files) > 1
        with contextlib.ExitStack() as replaced:
            for target in self.targets if is_set and self.overwrite else ():
                replaced.enter_context(_withdrawn(target))
            try:
                for descriptor, target in reversed(files):
                    self._name(descriptor, target)
                for directory in self._directories():
                    _sync_directory(directory)
            except BaseException:
                if is_set or not self.overwrite:
                    for descriptor, target in files:
                        _unlink_if_same(target, os.fstat(descriptor))
                raise

    def _name(self, descriptor: int, target: Path) -> None:
        """Give a file its name in one step; one that is taken only where that is allowed."""
        with _writing_in(target.parent):
            if descriptor not in self.hidden:
                if not self.overwrite:
                    try:
                        _link(descriptor, target)
                    except FileExistsError:  # a program that knows no lock was quicker
                        check_targets([target])
                        raise
                    return
                self.hidden[descriptor] = _hidden_path(target.parent, descriptor)
                _link(descriptor, self.hidden[descriptor])
            self.hidden[descriptor].replace(target)
            del self.hidden[descriptor]

    def _directories(self) -> list[Path]:
        """Return every directory once, whatever its names, in the same order in every process."""
        found = {}
        for directory in {target.parent for target in self.targets}:
            with _writing_in(directory):
                status = directory.stat()
            found[status.st_dev, status.st_ino] = directory
        return [found[identity] for identity in sorted(found)]


class StagedStream:
    """One file for a stream, to which nothing is written before the file is known to be right.

    Parameters
    ----------
    stream : int, default=1
        Descriptor of the stream; 1 is standard output.
    overwrite : bool, default=False
        Let files that are added replace what has their names.

    Attributes
    ----------
    descriptors : list of int
        The temporary file that is copied into the stream.
    """

    def __init__(self, stream: int = 1, *, overwrite: bool = False) -> None:
        self.stream = stream
        self.descriptors = [temporary_descriptor()]
        self._files = StagedFiles([], overwrite=overwrite)

    @property
    def directory(self) -> Path:
        """Where the temporary file is."""
        return temporary_directory()

    def add(self, target: Path, content: bytes) -> None:
        """Let a file, which is small and finished, appear after the stream.

        Raises
        ------
        OutputError
            ``output-exists``, ``no-space`` or ``write-error``.
        """
        self._files.add(target, content)

    def publish(self) -> None:
        """Copy the finished file into the stream.

        Raises
        ------
        OutputError
            ``output-closed`` if its reader went away, or ``write-error``; ``output-exists`` for
            what is added.
        """
        read_at = reader_at(self.descriptors[0])
        offset = 0
        try:
            while piece := read_at(offset, PIPE_BYTES):
                write_stream(self.stream, piece)
                offset += len(piece)
        except OSError as error:
            raise stream_error(error, offset) from error
        self._files.publish()

    def discard(self) -> None:
        """Let go of the temporary file, and of what is not published."""
        self._files.discard()
        while self.descriptors:
            os.close(self.descriptors.pop())


def prepare_directory(directory: Path) -> None:
    """Make a directory unless it is there, free it of what killed runs left, and try to write.

    Parameters
    ----------
    directory : Path
        Missing parents are made, too.

    Raises
    ------
    OutputError
        ``write-error`` or ``no-space``.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _sweep(directory)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except FileExistsError as error:
        raise OutputError(
            f"{str(directory)!r} is not a directory", hint="Choose another one.", kind="write-error"
        ) from error
    except OSError as error:
        raise write_error(error, directory) from error


def write_file(path: Path, content: bytes, *, overwrite: bool) -> None:
    """Write a small file that appears complete under its name, or not at all.

    Parameters
    ----------
    path : Path
        In an existing directory.
    content : bytes
        What it is to hold.
    overwrite : bool
        Replace what has this name; otherwise that is an error.

    Raises
    ------
    OutputError
        ``output-exists``, ``no-space`` or ``write-error``.
    """
    staged = StagedFiles([], overwrite=overwrite)
    try:
        staged.add(path, content)
        staged.publish()
    finally:
        staged.discard()


@contextlib.contextmanager
def landmark(directory: Path) -> Iterator[Path]:
    """Yield a file by which other machines can tell that they see this very directory.

    It has a hidden name while it is needed; what a killed run leaves is swept by the next.

    Raises
    ------
    OutputError
        ``write-error`` or ``no-space``.
    """
    with _writing_in(directory):
        descriptor, name = tempfile.mkstemp(dir=directory, prefix=".auxiva-", suffix=".part")
    try:
        with contextlib.suppress(OSError):
            _try_lock(descriptor)
        path = _hidden_path(directory, descriptor)
        Path(name).replace(path)
        yield path
    finally:
        _unlink_if_same(path, os.fstat(descriptor))
        os.close(descriptor)


def _sweep(directory: Path) -> None:
    """Remove what killed runs left in a directory.

    A name alone says nothing: it must be the file's only one and hold its inode, and no living
    run may have it locked.
    """
    for path in directory.glob(".auxiva-*.part"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                has_its_name = path == _hidden_path(directory, descriptor)
                if has_its_name and os.fstat(descriptor).st_nlink == 1 and _try_lock(descriptor):
                    path.unlink()
            finally:
                os.close(descriptor)


def _hidden_path(directory: Path, descriptor: int) -> Path:
    """Return the name of a file that is not published yet: one that it alone can have."""
    return directory / f".auxiva-{os.fstat(descriptor).st_ino}.part"


def _open_nameless(directory: Path) -> int | None:
    """Return a new file without a name, None where the system could not give it one later."""
    if hasattr(os, "O_TMPFILE") and DESCRIPTORS.is_dir():
        with contextlib.suppress(OSError):
            return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666)
    return None


@contextlib.contextmanager
def _writing_in(directory: Path, *, n_bytes: int | None = None) -> Iterator[None]:
    """Say where it was that the system refused to write."""
    try:
        yield
    except OSError as error:
        raise write_error(error, directory, n_bytes=n_bytes) from error


@contextlib.contextmanager
def _withdrawn(path: Path) -> Iterator[None]:
    """Take a file, if it is there, away while its set is replaced; or put it back.

    A run that is killed meanwhile leaves no set of old and new files that looks whole.
    """
    aside = None
    with _writing_in(path.parent), contextlib.suppress(FileNotFoundError):
        aside = path.replace(path.parent / f".auxiva-{path.lstat().st_ino}.part")
    try:
        yield
    except BaseException:
        if aside is not None:
            with _writing_in(path.parent):
                aside.replace(path)
        raise
    if aside is not None:
        with contextlib.suppress(OSError):  # the next run sweeps it
            aside.unlink()


def _link(descriptor: int, target: Path) -> None:
    """Give a nameless file a name; never another's."""
    # A descriptor of a directory, which an absolute path ignores, has Python call linkat.
    os.link(DESCRIPTORS / str(descriptor), target, src_dir_fd=descriptor, follow_symlinks=True)


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep other runs out of a directory, where the file system has locks."""
    with _writing_in(directory):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _wait_for(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, directory: Path) -> None:
    """Lock a directory, if that is possible; say that it takes long, and give up in the end."""
    begin = time.monotonic()
    is_said = False
    while _is_taken(descriptor):
        waited = time.monotonic() - begin
        if waited > LONGEST_WAIT:
            raise OutputError(
                f"{str(directory)!r} has been locked by another program for {waited:.0f} s",
                hint="Wait until it is finished, or choose another directory.",
                kind="write-error",
            )
        if waited > SILENT_WAIT and not is_said:
            LOG.warning("%r is locked by another program; waiting for it", str(directory))
            is_said = True
        time.sleep(LOOK_UP_SECONDS)


def _is_taken(descriptor: int) -> bool:
    """Try to lock a directory; nobody else can have it where the file system has no locks."""
    try:
        return not _try_lock(descriptor)
    except OSError:
        return False


def _try_lock(descriptor: int) -> bool:
    """Lock a file until it is closed; False if another has it, ``OSError`` without locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unlink_if_same(path: Path, status: os.stat_result) -> None:
    """Remove a name if it is this very file's."""
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(path.lstat(), status):
            path.unlink()


def _sync_directory(directory: Path) -> None:
    """Bring the names to the disk, where the file system can do that for a directory."""
    with _writing_in(directory):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(descriptor)
