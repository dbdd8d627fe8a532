"""Separation filters: what is learnt from a recording, applied to it or to another, and saved.

A file of filters is an npz with the arrays ``G`` and ``R`` (complex64, see ``Filters``; files may
be without ``R``) and ``header``, the UTF-8 bytes of a JSON object with the rest.  It holds numbers
only and is not trusted: every size is checked against the header's before memory is taken for it,
and nothing in it is executed.
"""

from __future__ import annotations

import io
import json
import math
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import ArrayLike, NDArray

from auxiva_cli.bss.fold import Block
from auxiva_cli.bss.scaling import living_filters
from auxiva_cli.errors import AuxivaError, FiltersError
from auxiva_cli.listening.mixture import (
    Aligned,
    ArrayMixture,
    Levelled,
    Mixture,
    check_waveform,
)
from auxiva_cli.listening.spectra import Spectra
from auxiva_cli.listening.stft import Stft
from auxiva_cli.listening.survey import Survey, survey
from auxiva_cli.parallel import Threads

__all__ = ["Filters", "apply_filters"]

Array = NDArray[Any]
FORMAT, VERSION = "auxiva-filters", 1
LARGEST_HEADER = 4096
LARGEST_ARRAY_HEADER = 256
LARGEST_N_FFT = 2**20
LARGEST_N_CHAN = 64
LARGEST_BYTES = 2**29  # as many channels, sources and frequencies as anybody has
LONGEST_LAG_SECONDS = 10
# Of the identity, or of the largest filter: more than rounding to single precision leaves.
IDENTITY_TOLERANCE = 1e-5
# So many sets of living channels have their filters at hand.
SETS_AT_HAND = 8
# A channel that is dead under this part of a window, at either end, is hardly missed.
DEAD_END = 4
HINT = "Learn and save the filters anew."


@dataclass(frozen=True)
class Filters:
    """One matrix per source and frequency that gives a source's image at every microphone.

    Attributes
    ----------
    G : ndarray of shape (n_src, n_chan, n_chan, n_freq), complex64
        ``G[k] x`` is the image of source ``k`` at all microphones; ``Σ_k G[k] = I``, so images
        sum to the mixture.
    stft : Stft
        The transform in which they work.
    sample_rate : int
        In Hz.
    ref_chan : int
        Reference channel, from 0.
    lags : ndarray of shape (n_chan,), int, optional
        By how many samples each channel is late against the reference: undone before the filters
        are applied, and done again to the images.  None is when not given.
    out_chans : ndarray of shape (n_src,), int, optional
        The channel of each source's output; the reference channel when not given.
    R : ndarray of shape (n_chan, n_chan, n_freq), complex64, optional
        Spatial covariance of the mixture, up to a factor: how channels hang together.  Without
        it they are taken as unrelated.
    """

    G: Array
    stft: Stft
    sample_rate: int
    ref_chan: int
    lags: Array | None = None
    out_chans: Array | None = None
    R: Array | None = None

    @property
    def outputs(self) -> Array:
        """The one channel of each source's output, as ``apply_filters`` takes it: (n_src, 1)."""
        chosen = np.full(self.n_src, self.ref_chan) if self.out_chans is None else self.out_chans
        return chosen[:, None]

    @property
    def n_src(self) -> int:
        """Number of sources."""
        return len(self.G)

    @property
    def n_chan(self) -> int:
        """Number of channels."""
        n_chan: int = self.G.shape[1]
        return n_chan

    def while_living(self, living: Array) -> Array:
        """Return the filters for while some channels are dead, of the shape of ``G``.

        Parameters
        ----------
        living : ndarray of shape (n_chan,), bool
            Channels that live.
        """
        if living.all():
            return self.G
        R = np.eye(self.n_chan)[..., None] if self.R is None else self.R
        return living_filters(self.G, np.broadcast_to(R, self.G.shape[1:]), living)

    def apply(self, mixture: ArrayLike, *, n_threads: int | None = None) -> Array:
        """Separate a recording of the same microphones and speakers.

        Parameters
        ----------
        mixture : array_like of shape (n_chan, n_samples), floating
            The recording, at the sample rate of the filters.
        n_threads : int, optional
            Threads to use; one per processor when not given.

        Returns
        -------
        ndarray of shape (n_src, n_samples)
            Image of each source at the reference channel, to which they sum, or where it is
            loudest, if that was asked for.

        Raises
        ------
        ParameterError
            If the mixture does not have the shape or the type.
        FiltersError
            If it does not have the channels that the filters are for.
        RecordingError
            If the mixture is silent, or not finite.
        """
        images: Array = self._images(mixture, self.outputs, n_threads)[:, 0]
        return images

    def images(self, mixture: ArrayLike, *, n_threads: int | None = None) -> Array:
        """Separate a recording into what every microphone heard of each source.

        As ``apply``, but returns an ndarray of shape (n_src, n_chan, n_samples).
        """
        return self._images(mixture, np.arange(self.n_chan), n_threads)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the filters to a file, in place of one that is there.

        Raises
        ------
        OutputError
            If it cannot be written; nothing is left behind.
        """
        from auxiva_cli.audio import write_file

        write_file(Path(path), self.to_bytes(), overwrite=True)

    def to_bytes(self) -> bytes:
        """Return the content of a file that holds the filters; equal filters make equal files."""
        header = {
            "format": FORMAT,
            "version": VERSION,
            "sample_rate": self.sample_rate,
            "n_fft": self.stft.n_fft,
            "hop_length": self.stft.hop_length,
            "window": self.stft.window,
            "n_src": self.n_src,
            "n_chan": self.n_chan,
            "ref_chan": self.ref_chan,
        }
        if self.lags is not None and self.lags.any():
            header["lags"] = self.lags.tolist()
        if self.out_chans is not None:
            header["out_chans"] = self.out_chans.tolist()
        content = io.BytesIO()
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        # Members carry a fixed date.
        with zipfile.ZipFile(content, "w") as archive:
            arrays = {"header": text, "G": self.G}
            if self.R is not None:
                arrays["R"] = self.R
            for name, array in arrays.items():
                member = io.BytesIO()
                npy.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
        return content.getvalue()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Filters:
        """Load filters that ``save`` has written.

        Raises
        ------
        FiltersError
            If the file cannot be read or holds anything else.
        """
        try:
            if not stat.S_ISREG(Path(path).stat().st_mode):
                raise FiltersError("it cannot be read: it is not a regular file", hint=HINT)
            with zipfile.ZipFile(path) as archive:
                header = _read_header(archive)
                n_src, n_chan = header["n_src"], header["n_chan"]
                stft = Stft(header["n_fft"], header["hop_length"], header["window"])
                G = _read_member(archive, "G", (n_src, n_chan, n_chan, stft.n_freq), np.complex64)
                R = None
                if "R.npy" in archive.namelist():
                    R = _read_member(archive, "R", (n_chan, n_chan, stft.n_freq), np.complex64)
        except FiltersError:
            raise
        except OSError as error:
            raise FiltersError(f"it cannot be read: {error.strerror or error}") from error
        except Exception as error:  # a hostile file gets zipfile, json and NumPy to raise anything
            what = error.what if isinstance(error, AuxivaError) else str(error) or repr(error)
            raise FiltersError(f"it is not a file of filters: {what}", hint=HINT) from error
        _check_sum(G)
        if R is not None and not np.isfinite(R).all():
            raise FiltersError("the covariance holds NaN or infinite numbers", hint=HINT)
        lags, out_chans = (
            np.array(header[name]) if name in header else None for name in ("lags", "out_chans")
        )
        return cls(G, stft, header["sample_rate"], header["ref_chan"], lags, out_chans, R)

    def check_fit(self, mixture: Mixture) -> None:
        """Refuse a recording that the filters are not for.

        Raises
        ------
        FiltersError
            If its channels or its sample rate are others.
        """
        theirs = f"{self.n_chan} channels at {self.sample_rate} Hz"
        ours = f"{mixture.n_chan} channels at {mixture.sample_rate} Hz"
        if theirs != ours:
            raise FiltersError(
                f"the filters are for {theirs}, the recording has {ours}",
                hint="Learn filters from a recording of the same microphones.",
            )

    def _images(self, mixture: ArrayLike, channels: Array, n_threads: int | None) -> Array:
        """Return the images at some channels, (n_src, len(channels), n_samples)."""
        waveform = check_waveform(mixture)
        recording = ArrayMixture(waveform, self.sample_rate)
        self.check_fit(recording)
        with Threads.of(n_threads) as threads:
            seen = survey(recording, map=threads.map)
            stretches = list(apply_filters(self, recording, channels, seen, threads=threads))
        return np.concatenate(stretches, axis=-1).astype(waveform.dtype)


def apply_filters(
    filters: Filters, mixture: Mixture, channels: Array, seen: Survey, *, threads: Threads
) -> Iterator[Array]:
    """Separate a recording with filters, stretch by stretch.

    Parameters
    ----------
    filters : Filters
        What to apply.
    mixture : Mixture
        The recording, of ``filters.n_chan`` channels.
    channels : ndarray of shape (n_out,) or (n_src, n_out), int
        Microphones, from 0, at which the images of the sources are wanted, the same for all or
        those of each.
    seen : Survey
        What the recording is like: its offset, of which the outputs carry equal shares, and its
        level, near which single precision holds it, and where channels are dead: there the
        outputs are made of the others.
    threads : Threads
        Works on several stretches at a time.

    Yields
    ------
    ndarray of shape (n_src, n_out, n_stretch)
        Consecutive stretches of the images, as long as the mixture in all, each channel on its
        own axis, at its own gain.

    Raises
    ------
    AuxivaError
        ``internal``, if a sample comes out NaN or infinite.
    """
    lags = np.zeros(filters.n_chan, int) if filters.lags is None else filters.lags
    on_axis = Aligned(mixture, lags) if lags.any() else mixture
    channels = np.broadcast_to(channels, (filters.n_src, np.shape(channels)[-1]))
    if lags.any():
        lead = max(lags.max(), 0)
        seen = replace(seen, levels=seen.levels.moved(lags - lead, on_axis.n_samples))
    images = _filtered(filters, on_axis, channels, seen, threads)
    if lags.any():
        images = _cut(images, max(lags.max(), 0) - lags[channels], mixture.n_samples)
    done = 0
    for stretch in images:
        if isinstance(mixture, Levelled):
            stretch *= mixture.gain(done, stretch.shape[-1])[channels]
        done += stretch.shape[-1]
        yield stretch


def _filtered(
    filters: Filters, mixture: Mixture, channels: Array, seen: Survey, threads: Threads
) -> Iterator[Array]:
    """Yield the images on the axis of the mixture."""
    stft = filters.stft
    spectra = Spectra(mixture, stft, seen.offset, np.full(mixture.n_chan, seen.level))
    living = seen.levels.living_frames(stft, margin=stft.n_fft // DEAD_END)
    share = (seen.offset[channels] / filters.n_src)[..., None]

    @lru_cache(SETS_AT_HAND)
    def rows(alive: tuple[bool, ...]) -> Array:
        G = filters.while_living(np.array(alive))[np.arange(filters.n_src)[:, None], channels]
        return G.reshape(-1, *G.shape[2:])  # (n_src * n_out, n_chan, n_freq)

    def separated(turn: tuple[Block, Array]) -> Array:
        X, living = turn[0](), turn[1]
        sets = np.unique(living, axis=0)
        if len(sets) == 1:
            return _product(rows(tuple(sets[0])), X)
        Y = np.empty((len(X), channels.size, X.shape[-1]), X.dtype)
        for alive in sets:
            frames = (living == alive).all(axis=1)
            Y[frames] = _product(rows(tuple(alive)), X[frames])
        return Y

    tail: Array | None = None
    written = stft.hop_length - stft.n_fft  # the first frames begin before the recording does
    length = spectra.block_length
    turns = ((block, living[i * length :][:length]) for i, block in enumerate(spectra.blocks()))
    for Y in threads.map(separated, turns):
        waveform, tail = stft.synthesise(Y, tail)
        inside = slice(max(-written, 0), max(mixture.n_samples - written, 0))
        written += waveform.shape[1]
        images = waveform[:, inside].astype(float) / seen.level
        images = images.reshape(*channels.shape, -1) + share
        if not np.isfinite(images).all():
            raise AuxivaError("separation gave samples that are not finite", kind="internal")
        if images.shape[-1]:
            yield images


def _check_sum(G: Array) -> None:
    """Refuse filters whose images would not sum to the mixture.

    Raises
    ------
    FiltersError
        With how far they are from it.
    """
    if not np.isfinite(G).all():
        raise FiltersError("the filters hold NaN or infinite numbers", hint=HINT)
    size = max(1.0, float(np.abs(G).max()))
    missing = G.sum(axis=0, dtype=complex) - np.eye(G.shape[1])[..., None]
    error = float(np.abs(missing).max())
    if error > IDENTITY_TOLERANCE * size:
        raise FiltersError(
            f"the filters do not sum to the identity: they miss it by {error:.3g}, "
            "so the outputs would not sum to the recording",
            hint=HINT,
        )


def _cut(stretches: Iterator[Array], firsts: Array, n_samples: int) -> Iterator[Array]:
    """Yield, of each image, so many samples from its first on, in common stretches."""
    waiting: list[Array] = []
    begin = written = 0
    for stretch in stretches:
        waiting = [np.concatenate([*waiting, stretch], axis=-1)]
        end = begin + waiting[0].shape[-1]
        ready = min(end - int(firsts.max()), n_samples)
        if ready > written:
            first = firsts + written - begin
            wanted = first[..., None] + np.arange(ready - written)
            yield np.take_along_axis(waiting[0], wanted, axis=-1)
            written = ready
        spent = max(int(firsts.min()) + written - begin, 0)
        waiting = [waiting[0][..., spent:]]
        begin += spent


def _product(G: Array, X: Array) -> Array:
    """Return ``G x`` of filters (n_out, n_chan, n_freq) in all frames."""
    Y: Array = G[:, 0] * X[:, 0, None]
    for c in range(1, X.shape[1]):
        Y += G[:, c] * X[:, c, None]
    return Y


def _read_header(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Return the header, every value of its type and within range."""
    n_bytes = _member_shape(archive, "header")[0]
    if not 0 < n_bytes <= LARGEST_HEADER:
        raise FiltersError(f"its header has {n_bytes} bytes", hint=HINT)
    header = json.loads(bytes(_read_member(archive, "header", (n_bytes,), np.uint8)))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise FiltersError("its header is not that of filters", hint=HINT)
    if header.get("version") != VERSION:
        raise FiltersError(
            f"it has version {header.get('version')!r}, this program reads version {VERSION}",
            hint=HINT,
        )
    for name, lowest, highest in (
        ("sample_rate", 1, 2**31 - 1),
        ("n_fft", 4, LARGEST_N_FFT),
        ("hop_length", 1, LARGEST_N_FFT),
        ("n_chan", 2, LARGEST_N_CHAN),
        ("n_src", 1, LARGEST_N_CHAN),
        ("ref_chan", 0, LARGEST_N_CHAN),
    ):
        value = header.get(name)
        if type(value) is not int or not lowest <= value <= highest:
            raise FiltersError(f"its {name} is {value!r}", hint=HINT)
    for name, n_chan in (("n_src", header["n_chan"]), ("ref_chan", header["n_chan"] - 1)):
        if header[name] > n_chan:
            raise FiltersError(
                f"its {name} is {header[name]}, of {header['n_chan']} channels", hint=HINT
            )
    longest = LONGEST_LAG_SECONDS * header["sample_rate"]
    _check_list(header, "lags", "n_chan", range(-longest, longest + 1))
    _check_list(header, "out_chans", "n_src", range(header["n_chan"]))
    return header


def _check_list(header: dict[str, Any], name: str, length: str, allowed: range) -> None:
    """Refuse a list in a header that is not so long, or holds anything that is not allowed."""
    values = header.get(name)
    if name in header and not (
        type(values) is list
        and len(values) == header[length]
        and all(type(value) is int and value in allowed for value in values)
    ):
        raise FiltersError(f"its {name} are {values!r:.80}", hint=HINT)


def _open_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Open an array, which takes no more memory than the file has bytes."""
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    return archive.open(info)


def _read_array_header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return the shape, the order and the type that an array declares."""
    if npy.read_magic(member) != (1, 0):
        raise ValueError("an array has an unknown version")
    return npy.read_array_header_1_0(member, max_header_size=LARGEST_ARRAY_HEADER)


def _member_shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    """Return the shape that an array declares."""
    with _open_member(archive, name) as member:
        return _read_array_header(member)[0] or (0,)


def _read_member(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: type[np.generic]
) -> NDArray[Any]:
    """Return an array that has just this shape and type."""
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    if n_bytes > LARGEST_BYTES:
        raise FiltersError(f"its filters would take {n_bytes} bytes", hint=HINT)
    with _open_member(archive, name) as member:
        found, is_fortran, found_dtype = _read_array_header(member)
        if found != shape or is_fortran or found_dtype != np.dtype(dtype):
            raise ValueError(f"{name} is {found_dtype} of shape {found}, not {shape}")
        content = member.read(n_bytes + 1)
    if len(content) != n_bytes:
        raise ValueError(f"{name} has {len(content)} bytes, not {n_bytes}")
    return np.frombuffer(content, dtype).reshape(shape)
