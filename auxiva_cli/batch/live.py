"""Filters applied to standard input while it comes, and passed on to standard output."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from auxiva_cli.audio import WavReader, WavWriter, open_wav_stream
from auxiva_cli.batch.find import STANDARD_INPUT
from auxiva_cli.batch.jobs import Job, Task
from auxiva_cli.batch.work import Outcome, as_used, failed, separate_recording
from auxiva_cli.bss.linalg import Array
from auxiva_cli.bss.scaling import relative_levels
from auxiva_cli.errors import AuxivaError, Notice, RecordingError, is_debugging
from auxiva_cli.filters import Filters
from auxiva_cli.filters.live import LiveFilters
from auxiva_cli.filters.mask import masked
from auxiva_cli.listening.mixture import is_usable
from auxiva_cli.observer import Observer

__all__ = ["apply_live", "is_live"]


def is_live(job: Job, task: Task) -> bool:
    """Tell whether what comes can be passed on at once: nothing else needs to be known."""
    filters = task.filters
    return (
        filters is not None
        and (filters.lags is None or not filters.lags.any())
        and (filters.drifts is None or not filters.drifts.any())
        and task.output.to_stdout
        and job.files == (STANDARD_INPUT,)
        and task.settings.channels is None
    )


def apply_live(job: Job, task: Task, observer: Observer) -> Outcome:
    """Pass standard input on, separated, until it ends; failures are outcomes, too."""
    begin = time.perf_counter()
    assert task.filters is not None
    try:
        reader = open_wav_stream()
        if reader is None:
            return separate_recording(job, task, observer)
        with reader:
            outcome = _pass_on(job, task, task.filters, reader, observer)
    except Exception as error:
        if is_debugging() and not isinstance(error, AuxivaError):
            raise
        outcome = failed(job, task, error)
    return replace(outcome, seconds=time.perf_counter() - begin)


def _pass_on(
    job: Job, task: Task, filters: Filters, reader: WavReader, observer: Observer
) -> Outcome:
    """Pass a stream on."""
    head, output = reader.head.format, task.output
    filters.check_fit(head.n_chan, head.sample_rate)
    output.check_pick(filters.n_src)
    output.check_mask(filters.out_chans is not None)
    channels = np.arange(head.n_chan) if output.all_channels else filters.outputs
    numbers = [*output.numbers(filters.n_src), *range(filters.n_src, filters.n_out)]
    at = filters.outputs if output.all_channels else 0 * filters.outputs
    heard, n_columns = _Heard(task, reader, observer), len(numbers) * channels.shape[-1]
    writer = WavWriter(heard.n_expected, n_columns, head.sample_rate, output.subtype or "FLOAT")
    stretches = _separated(LiveFilters(filters, channels), heard)
    energy = np.zeros(filters.n_out)
    for images in masked(stretches, head.sample_rate) if output.mask else stretches:
        energy += np.square(images[np.arange(len(images)), at[:, 0]]).sum(axis=-1)
        writer.write(images[numbers].reshape(n_columns, images.shape[-1]))
    if not heard.n_samples:
        raise RecordingError("a header without any sound came through the pipe", kind="input-empty")
    if heard.most is None:
        reader.drain()
    return Outcome(
        job,
        as_used(task.settings, filters),
        "separated",
        notices=_notices(writer.n_clipped, heard.n_zeroed),
        sample_rate=head.sample_rate,
        n_chan=head.n_chan,
        n_samples=heard.n_samples,
        levels=tuple(map(float, relative_levels(energy)[numbers])),
        n_passes=1,
        out_chans=tuple(filters.outputs[numbers, 0].tolist()),
    )


def _separated(live: LiveFilters, heard: _Heard) -> Iterator[Array]:
    """Yield the images as they become complete."""
    for block in heard.blocks():
        yield live.push(block)
    yield live.finish()


class _Heard:
    """What has come in so far, of what is wanted.

    Attributes
    ----------
    n_samples : int
        How much it is.
    n_zeroed : int
        How many samples were no numbers, and are taken as zero.
    most : int or None
        How many samples are taken at most.
    """

    def __init__(self, task: Task, reader: WavReader, observer: Observer) -> None:
        self.n_samples = self.n_zeroed = 0
        seconds, head = task.reading.max_duration, reader.head.format
        self.most = None if seconds == math.inf else int(seconds * head.sample_rate)
        self._task, self._reader, self._observer = task, reader, observer

    @property
    def n_expected(self) -> int | None:
        """How many samples there will be, as far as the header tells."""
        promised = self._reader.head.n_samples
        return promised if self.most is None or promised is None else min(self.most, promised)

    def blocks(self) -> Iterator[Array]:
        """Yield what comes, without what is no number."""
        head = self._reader.head.format
        while self.n_samples != self.most:
            wanted = None if self.most is None else self.most - self.n_samples
            block = self._reader.read()[:, :wanted]
            if not block.shape[-1]:
                return
            usable = is_usable(block)
            if not usable.all():
                self.n_zeroed += _count_unusable(
                    usable, self._task, self.n_samples, head.sample_rate
                )
                block = np.where(usable, block, 0)
            self.n_samples += block.shape[-1]
            yield block
            self._observer.received(self.n_samples * head.frame_bytes)


def _count_unusable(usable: np.ndarray, task: Task, start: int, sample_rate: int) -> int:
    """Return how many samples are to be zero, or refuse them."""
    n_bad = int(np.count_nonzero(~usable))
    if not task.reading.zero_nonfinite:
        first = start + int((~usable).any(axis=0).argmax())
        raise RecordingError(
            f"a sample is NaN, infinite or beyond any scale, at {first / sample_rate:.3f} s",
            hint="Have zeros put there.",
            kind="input-nonfinite",
        )
    return n_bad


def _notices(n_clipped: int, n_zeroed: int) -> tuple[Notice, ...]:
    """Say what was changed on the way."""
    notices = []
    if n_clipped:
        text = f"{n_clipped} samples of the outputs were clipped: integers cannot hold them"
        notices.append(Notice("output-clipped", text))
    if n_zeroed:
        text = f"{n_zeroed} NaN or infinite samples are taken as zero"
        notices.append(Notice("nonfinite-zeroed", text))
    return tuple(notices)
