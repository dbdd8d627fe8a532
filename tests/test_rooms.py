"""Six small rooms: what separation reaches in them, and whether planted swaps are repaired."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from oracle import Array
from scipy.signal import resample_poly

from auxiva_cli.api import SeparationResult, separate
from auxiva_cli.bss.fold import pack
from auxiva_cli.bss.permutation import repair
from auxiva_cli.bss.source_models import bands
from auxiva_cli.demixing import REPAIR_CELLS, REPAIR_SPAN
from auxiva_cli.evaluation import si_bss_eval
from auxiva_cli.simulation import Scene, simulate_room

SAMPLE_RATE, SECONDS, N_SRC, N_FFT = 8000, 6, 3, 1024
# Mean SI-SDR in dB over the speakers of each room, by its seed.
ROOMS = {0: 9.8, 2: 12.5, 18: 9.9, 36: 14.6, 109: 10.8, 123: 10.2}
# What another order of sums may change.
MARGIN = 0.5
# In Hz; below, there is no voice.
LOWEST = 60


@cache
def voices() -> list[Array]:
    """Read the voices of the samples, at the rate of these rooms."""
    paths = sorted((Path(__file__).parents[1] / "sample_audio").glob("*_ref*.flac"))
    return [resample_poly(soundfile.read(path)[0], 1, 2) for path in paths]


@cache
def room(seed: int) -> Scene:
    """Draw three speakers, what they say and where."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(voices()))[:N_SRC]
    starts = rng.integers(0, SAMPLE_RATE * (11 - SECONDS), N_SRC)
    speech = [
        voices()[i][start : start + SAMPLE_RATE * SECONDS]
        for i, start in zip(chosen, starts, strict=True)
    ]
    return simulate_room(speech, sample_rate=SAMPLE_RATE, rt60=0.15, seed=seed)


@cache
def separated(seed: int) -> SeparationResult:
    return separate(room(seed).mixture, SAMPLE_RATE, n_fft=N_FFT, n_threads=1)


def mean_si_sdr(seed: int, sources: Array) -> float:
    return float(np.mean(si_bss_eval(room(seed).references, sources).sdr))


@pytest.mark.parametrize("seed", ROOMS)
def test_each_room_is_separated_as_well_as_it_was(seed: int) -> None:
    assert mean_si_sdr(seed, separated(seed).sources) > ROOMS[seed] - MARGIN


@pytest.mark.parametrize("seed", ROOMS)
def test_speakers_that_are_shuffled_in_every_band_find_each_other_again(seed: int) -> None:
    filters = separated(seed).filters
    frequencies = filters.stft.frequencies(SAMPLE_RATE)
    heard = slice(int(np.argmax(frequencies > LOWEST)), None)
    model = bands(frequencies[heard], REPAIR_CELLS, REPAIR_SPAN)
    X = filters.stft.analyse(room(seed).mixture)[..., heard]
    W = filters.G[:, filters.ref_chan, :, heard]
    W = W / np.sqrt(np.mean(np.abs(np.einsum("kcf,tcf->tkf", W, X)) ** 2, axis=0))[:, None]
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(N_SRC) for _ in model.segments]
    shuffled, G = W.copy(), filters.G.copy()
    for bins, order in zip(model.segments, orders, strict=True):
        shuffled[:, :, bins] = W[order][:, :, bins]
    repaired = repair([partial(pack, X)], shuffled, model)
    distance = np.abs(repaired[:, None] - W).max(axis=2)  # (n_src, n_src, n_freq)
    G[..., heard] = np.take_along_axis(
        filters.G[..., heard], distance.argmin(axis=1)[:, None, None], axis=0
    )
    found = replace(filters, G=G).apply(room(seed).mixture, n_threads=1)
    assert mean_si_sdr(seed, found) > ROOMS[seed] - MARGIN
