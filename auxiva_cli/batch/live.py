"""Filters applied to standard input while it comes, and passed on to standard output."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from auxiva_cli.audio import WavReader, WavWriter, open_wav_stream
from auxiva_cli.batch.find import STANDARD_INPUT
from auxiva_cli.batch.jobs import Job, Task
from auxiva_cli.batch.work import Outcome, as_used, failed, separate_recording
from auxiva_cli.bss.scaling import relative_levels
from auxiva_cli.errors import AuxivaError, Notice, RecordingError, is_debugging
from auxiva_cli.filters import Filters
from auxiva_cli.filters.live import LiveFilters
from auxiva_cli.filters.mask import Mask
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
    promised = reader.head.n_samples
    filters.check_fit(head.n_chan, head.sample_rate)
    output.check_pick(filters.n_src)
    output.check_mask(filters.out_chans is not None)
    channels = np.arange(head.n_chan) if output.all_channels else filters.outputs
    numbers = list(range(filters.n_src)) if output.pick is None else [output.pick - 1]
    most, n_out = _most_samples(task, reader), len(numbers) * channels.shape[-1]
    writer = WavWriter(
        promised if most is None or promised is None else min(most, promised),
        n_out,
        head.sample_rate,
        output.subtype or "FLOAT",
    )
    at = filters.outputs if output.all_channels else 0 * filters.outputs
    live, energy, n_zeroed = LiveFilters(filters, channels), np.zeros(filters.n_src), 0
    mask = Mask(filters.n_src, channels.shape[-1], head.sample_rate) if output.mask else None
    n_in, is_over = 0, False
    while not is_over:
        block = reader.read()[:, : None if most is None else most - n_in]
        n_in += block.shape[-1]
        is_over = block.shape[-1] == 0 or n_in == most
        usable = is_usable(block)
        if not usable.all():
            n_zeroed += _count_unusable(usable, task, n_in - block.shape[-1], head.sample_rate)
            block = np.where(usable, block, 0)
        images = live.push(block)
        if is_over:
            images = np.concatenate([images, live.finish()], axis=-1)
        if mask is not None:
            images = mask.push(images)
            if is_over:
                images = np.concatenate([images, mask.finish()], axis=-1)
        energy += np.square(np.take_along_axis(images, at[..., None], axis=1)[:, 0]).sum(axis=-1)
        writer.write(images[numbers].reshape(n_out, images.shape[-1]))
        observer.received(n_in * head.frame_bytes)
    if not n_in:
        raise RecordingError("a header without any sound came through the pipe", kind="input-empty")
    if most is None:
        reader.drain()
    return Outcome(
        job,
        as_used(task.settings, filters),
        "separated",
        notices=_notices(writer.n_clipped, n_zeroed),
        sample_rate=head.sample_rate,
        n_chan=head.n_chan,
        n_samples=n_in,
        levels=tuple(map(float, relative_levels(energy)[numbers])),
        n_passes=1,
        out_chans=tuple(filters.outputs[numbers, 0].tolist()),
    )


def _most_samples(task: Task, reader: WavReader) -> int | None:
    """Return how many samples are taken at most."""
    seconds = task.reading.max_duration
    return None if seconds == math.inf else int(seconds * reader.head.format.sample_rate)


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
