"""The separated files of one recording: blocks in, finished files out, all of them or none."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.audio.descriptors import free_bytes, write_error
from auxiva_cli.audio.samples import quantise
from auxiva_cli.audio.staging import StagedFiles, StagedStream
from auxiva_cli.audio.writers import OutputFormat, Writer, new_writer
from auxiva_cli.errors import AuxivaError, OutputError

__all__ = ["OutputSet", "open_outputs", "open_standard_output"]

OPEN_FILES = Path("/dev/fd")


class Destination(Protocol):
    """Where finished files go: open, empty files until they are published."""

    descriptors: list[int]

    @property
    def directory(self) -> Path:
        """Where there must be room for them."""

    def add(self, target: Path, content: bytes) -> None:
        """Let one more file appear, after the others."""

    def publish(self) -> None:
        """Hand over every file."""

    def discard(self) -> None:
        """Remove what is not handed over."""


class OutputSet:
    """The outputs of one recording, a context manager.

    Blocks go to temporary files; `finish` completes and checks them, `commit` gives them their
    names.  Leaving the context without it leaves nothing behind.

    Parameters
    ----------
    destination : Destination
        Where they go.
    output_format : OutputFormat
        What every file is to be.
    tracks : sequence of str, optional
        Which of several each file is, such as ``2/3``: said in the files.

    Attributes
    ----------
    peak : float
        Largest magnitude written, before clipping; full scale is 1.
    n_clipped : int
        How many samples integers could not hold.
    digests : list of str
        SHA-256 of every file, once it is finished.

    Raises
    ------
    OutputError
        ``no-space`` or ``write-error``.
    """

    def __init__(
        self, destination: Destination, output_format: OutputFormat, tracks: Sequence[str] = ()
    ) -> None:
        self._destination = destination
        self._descriptors = list(destination.descriptors)
        self._tracks = tracks or [""] * len(self._descriptors)
        self._writers: list[Writer] = []
        self.format = output_format
        self.digests: list[str] = []
        try:
            self._check_space()
            self.rewind()
        except BaseException:
            self._discard()
            raise

    def rewind(self) -> None:
        """Begin again with empty files, to write everything with another gain."""
        self.peak = 0.0
        self.n_clipped = 0
        self.n_written = 0
        self._balance = _Balance()
        self._close_writers()
        try:
            for descriptor, track in zip(self._descriptors, self._tracks, strict=True):
                os.lseek(descriptor, 0, os.SEEK_SET)
                os.ftruncate(descriptor, 0)
                self._writers.append(new_writer(descriptor, self.format, track))
        except OSError as error:
            raise self._write_error(error) from error

    @property
    def fitting_gain(self) -> float:
        """The common gain that keeps what was written from clipping; 1 if nothing clipped."""
        return self.format.full_scale / self.peak if self.n_clipped else 1.0

    def write(
        self,
        block: NDArray[np.floating[Any]],
        reference: NDArray[np.floating[Any]] | None = None,
        unwritten: NDArray[np.floating[Any]] | float = 0.0,
    ) -> None:
        """Append a block to every file.

        Parameters
        ----------
        block : ndarray of shape (n_files, n_chan, n_samples)
            The next samples of each file, full scale 1.
        reference : ndarray of shape (n_chan, n_samples), optional
            What they must sum to; `commit` refuses files that do not.
        unwritten : ndarray of shape (n_chan, n_samples), optional
            What belongs to that sum and goes into no file.

        Raises
        ------
        AuxivaError
            ``internal`` if a sample is not finite.
        OutputError
            ``no-space`` or ``write-error``.
        """
        n_samples = block.shape[-1]
        if n_samples == 0:
            return
        peak = float(max(block.max(), -block.min()))
        if not peak <= self.format.largest_value:
            raise AuxivaError(
                f"a separated signal holds {peak} after sample {self.n_written}",
                hint="Please report this with the recording.",
                kind="internal",
            )
        try:
            per_file = block.reshape(len(self._writers), self.format.n_chan, n_samples)
            for writer, channels in zip(self._writers, per_file, strict=True):
                stored, n_clipped = quantise(channels, self.format.subtype)
                writer.append(stored)
                self.n_clipped += n_clipped
                if reference is not None:
                    self._balance.add(stored, len(reference))
        except OSError as error:
            raise self._write_error(error) from error
        if reference is not None:
            self._balance.compare(
                reference / self.format.step, unwritten / self.format.step, self.n_written
            )
        self.peak = max(self.peak, peak)
        self.n_written += n_samples

    @property
    def drafts(self) -> list[Path]:
        """Return names by which this process can read the files before they have theirs."""
        return [OPEN_FILES / str(descriptor) for descriptor in self._descriptors]

    def finish(self) -> None:
        """Bring every file to the disk, and check it.

        Raises
        ------
        AuxivaError
            ``internal`` if too few samples were written, or such as do not sum to their reference.
        OutputError
            ``no-space`` or ``write-error``.
        """
        if self.n_written != self.format.n_samples:
            raise AuxivaError(
                f"{self.n_written} samples per channel were written, "
                f"the recording has {self.format.n_samples}",
                hint="Please report this with the recording.",
                kind="internal",
            )
        self._balance.check(rounds=self.format.step != 1)
        try:
            for writer, descriptor in zip(self._writers, self._descriptors, strict=True):
                self.digests.append(writer.finish())
                os.fsync(descriptor)
        except OSError as error:
            raise self._write_error(error) from error

    def add(self, path: Path, content: bytes) -> None:
        """Let one more file, which is small, appear after the outputs: all of them or none.

        Raises
        ------
        OutputError
            ``output-exists``, ``no-space`` or ``write-error``.
        """
        self._destination.add(path, content)

    def commit(self) -> None:
        """Finish the files, unless they are, and hand over all of them.

        Raises
        ------
        AuxivaError
            As `finish` does.
        OutputError
            ``output-exists``, ``output-closed``, ``no-space`` or ``write-error``; no output is
            left under its name.
        """
        if not self.digests:
            self.finish()
        self._destination.publish()

    def __enter__(self) -> OutputSet:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._discard()

    def _check_space(self) -> None:
        """Refuse before anything is computed what cannot fit."""
        free = free_bytes(self._destination.directory)
        if self.format.container == "WAV" and free < self._total_bytes():
            raise self._write_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    def _total_bytes(self) -> int:
        """Return the size of all files together."""
        return self.format.n_bytes * len(self._descriptors)

    def _write_error(self, error: OSError) -> OutputError:
        """Return our error for what the system said."""
        return write_error(error, self._destination.directory, n_bytes=self._total_bytes())

    def _close_writers(self) -> None:
        """Let go of encoders before their files are emptied or closed."""
        while self._writers:
            self._writers.pop().close()

    def _discard(self) -> None:
        """Remove everything that is not published."""
        self._close_writers()
        self._destination.discard()


class _Balance:
    """How far stored outputs are from summing to what they were made from.

    Nothing of a recording is lost or invented in its outputs: that is checked on the very numbers
    that the files hold, in units of a step of theirs.
    """

    def __init__(self) -> None:
        self._sum: NDArray[np.float64] | float = 0.0
        self._n_images = 0
        self._largest = 0  # number of images that were summed at most
        self._level = self._error = 0.0
        self._position = 0

    def add(self, stored: NDArray[Any], n_chan: int) -> None:
        """Add the images in a file, ``(n_samples, n_images * n_chan)``, to the sum of a block."""
        for first in range(0, stored.shape[1], n_chan):
            self._sum = self._sum + stored[:, first : first + n_chan].astype(np.float64)
            self._n_images += 1

    def compare(
        self,
        reference: NDArray[np.floating[Any]],
        unwritten: NDArray[np.floating[Any]] | float,
        position: int,
    ) -> None:
        """Compare the sum of a block, which begins at a sample, with what it must be."""
        error = float(np.abs(self._sum - (reference - unwritten).T).max())
        self._level = max(self._level, float(np.abs(reference).max()))
        if not error <= self._error:
            self._error, self._position = error, position
        self._largest = max(self._largest, self._n_images)
        self._sum, self._n_images = 0.0, 0

    def check(self, *, rounds: bool) -> None:
        """Refuse what is further apart than rounding explains.

        Each output and the recording may be half a step off; single precision is 100 dB below
        the recording at the least.
        """
        rounding = (self._largest + 1) / 2 if rounds else 0.0
        if not self._error <= max(rounding, 10.0**-5 * self._level):
            decibels = 20 * math.log10(self._error / self._level) if self._level else math.inf
            raise AuxivaError(
                f"after sample {self._position} the separated signals do not sum to the "
                f"recording: they are off by {decibels:.1f} dB of its level",
                hint="Please report this with the recording.",
                kind="internal",
            )


def open_outputs(
    paths: Sequence[Path],
    output_format: OutputFormat,
    *,
    overwrite: bool = False,
    tracks: Sequence[str] = (),
) -> OutputSet:
    """Begin the outputs of one recording as files.

    Parameters
    ----------
    paths : sequence of Path
        One per output, all in one existing directory.
    output_format : OutputFormat
        What every file is to be.
    overwrite : bool, default=False
        Replace files that are there.  A run killed meanwhile leaves whole files, and old and new
        ones together only where the first is missing.
    tracks : sequence of str, optional
        Which of several each file is, such as ``2/3``: said in the files.

    Returns
    -------
    OutputSet
        Takes blocks of shape (n_files, n_chan, n_samples).

    Raises
    ------
    OutputError
        ``output-exists``, ``no-space`` or ``write-error``.
    """
    return OutputSet(StagedFiles(paths, overwrite=overwrite), output_format, tracks)


def open_standard_output(output_format: OutputFormat, *, overwrite: bool = False) -> OutputSet:
    """Begin one file with the channels of every output, for standard output.

    Parameters
    ----------
    output_format : OutputFormat
        Its ``n_chan`` counts the channels of all outputs together.
    overwrite : bool, default=False
        Let files that are added replace what has their names.

    Returns
    -------
    OutputSet
        Takes blocks of shape (n_outputs, n_chan_of_each, n_samples).

    Raises
    ------
    OutputError
        ``no-space`` or ``write-error``.
    """
    return OutputSet(StagedStream(overwrite=overwrite), output_format)
