"""Files that appear under their names complete and together, or not at all.

They are written beside their targets under hidden names, one series of names for every run.  Each
is locked while its run lives, so that the next run in the directory can tell and sweep what a
killed one left.  To publish is to link every target, then to drop the hidden names; the first to
go is the commit: a run killed before it is undone by the sweep, one killed after it is finished.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from auxiva_cli.audio.descriptors import write_all, write_error
from auxiva_cli.audio.preflight import check_absent, check_replaceable

__all__ = ["StagedFiles", "sweep", "write_file"]

HIDDEN_NAME = re.compile(r"\.auxiva-(\d+-[0-9a-f]{8})-(\d{4})\.part")
NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


class StagedFiles:
    """New files in one directory, under hidden names until they are published.

    Parameters
    ----------
    targets : sequence of Path
        The names to publish them under, all in one existing directory.
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
        (self.directory,) = {target.parent for target in targets}
        check_replaceable(targets) if overwrite else check_absent(targets)
        self.targets = list(targets)
        self.overwrite = overwrite
        self.hidden: list[Path] = []
        self.descriptors: list[int] = []
        series = f".auxiva-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            with _locked(self.directory):
                _sweep(self.directory)
                for index in range(len(targets)):
                    self._create(self.directory / f"{series}-{index:04}.part")
        except BaseException as error:
            self.discard()
            if isinstance(error, OSError):
                raise write_error(error, self.directory) from error
            raise

    def publish(self) -> None:
        """Give every file its name.

        Raises
        ------
        OutputError
            ``output-exists`` if another run was quicker, or ``write-error``; no new name stays.
        """
        try:
            with _locked(self.directory):
                if self.overwrite:
                    for hidden, target in self._pairs():
                        hidden.replace(target)
                else:
                    self._link_all()
                _sync_directory(self.directory)
                self._drop_hidden_names()
        except OSError as error:
            if isinstance(error, FileExistsError):
                check_absent(self.targets)
            raise write_error(error, self.directory) from error

    def discard(self) -> None:
        """Remove what is not published, and close the files."""
        self._drop_hidden_names()
        while self.descriptors:
            os.close(self.descriptors.pop())  # and with it goes the lock

    def _pairs(self) -> Iterator[tuple[Path, Path]]:
        """Return every hidden name with its target."""
        return zip(self.hidden, self.targets, strict=True)

    def _create(self, hidden: Path) -> None:
        """Create one file and lock it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self.descriptors.append(os.open(hidden, flags, 0o666))
        self.hidden.append(hidden)
        _try_lock(self.descriptors[-1])

    def _link_all(self) -> None:
        """Give every file its name beside the hidden one, or none."""
        try:
            for hidden, target in self._pairs():
                _link(hidden, target)
        except BaseException:
            for descriptor, target in zip(self.descriptors, self.targets, strict=True):
                _unlink_if_same(target, os.fstat(descriptor))
            raise

    def _drop_hidden_names(self) -> None:
        """Remove the hidden names that are left, the first one first."""
        for hidden in self.hidden:
            hidden.unlink(missing_ok=True)
        self.hidden = []


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
    staged = StagedFiles([path], overwrite=overwrite)
    try:
        try:
            write_all(staged.descriptors[0], content)
            os.fsync(staged.descriptors[0])
        except OSError as error:
            raise write_error(error, path.parent, n_bytes=len(content)) from error
        staged.publish()
    finally:
        staged.discard()


def sweep(directory: Path) -> None:
    """Remove what killed runs left in a directory.

    Parameters
    ----------
    directory : Path
        Where outputs were written.  What belongs to a living run stays.
    """
    with contextlib.suppress(OSError), _locked(directory):
        _sweep(directory)


def _sweep(directory: Path) -> None:
    """Remove what killed runs left in a directory that is locked."""
    names = sorted(
        path.name for path in directory.glob(".auxiva-*") if HIDDEN_NAME.fullmatch(path.name)
    )
    for _, series in groupby(names, key=lambda name: name.rsplit("-", 1)[0]):
        with contextlib.ExitStack() as locks, contextlib.suppress(OSError):
            _sweep_series(directory, list(series), locks)


def _sweep_series(directory: Path, series: list[str], locks: contextlib.ExitStack) -> None:
    """Undo one run, unless it lives; finish it, if it was killed after its commit."""
    descriptors = []
    for name in series:
        descriptor = os.open(directory / name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        locks.callback(os.close, descriptor)
        if not _try_lock(descriptor):
            return
        descriptors.append(descriptor)
    is_committed = not series[0].endswith("-0000.part")
    for name, descriptor in reversed(list(zip(series, descriptors, strict=True))):
        status = os.fstat(descriptor)
        if status.st_nlink > 1 and not is_committed:
            for entry in os.scandir(directory):
                if entry.inode() == status.st_ino and not HIDDEN_NAME.fullmatch(entry.name):
                    _unlink_if_same(Path(entry.path), status)
        (directory / name).unlink()


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep other runs out of a directory, where the file system has locks."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """Lock a file for this process's life; False if another has it, or there are no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _link(hidden: Path, target: Path) -> None:
    """Give a file a second name, or where there are no hard links, a new one; never another's."""
    try:
        os.link(hidden, target)
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        hidden.replace(target)


def _unlink_if_same(path: Path, status: os.stat_result) -> None:
    """Remove a name if it is this very file's."""
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(path.lstat(), status):
            path.unlink()


def _sync_directory(directory: Path) -> None:
    """Bring the names to the disk, where the file system can do that for a directory."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
