"""Broadband activities against their formula, written out."""

from __future__ import annotations

from functools import partial

import numpy as np
import oracle
import pytest
from oracle import Array
from problems import complex_normal, random_bins

from auxiva_cli.bss.activity import broadband_activities
from auxiva_cli.bss.fold import pack

FREQUENCIES = np.arange(1, 60) * 100.0


def white(n_src: int, n_frames: int) -> Array:
    """Draw a block of unit covariance."""
    X = complex_normal(np.random.default_rng(0), n_frames, n_src, len(FREQUENCIES))
    return np.einsum("kcf,tcf->tkf", oracle.whitening(X, n_src), X)


@pytest.mark.parametrize("cuts", [[], [3, 3, 17]])
def test_activities_are_geometric_means_over_the_middle(cuts: list[int]) -> None:
    X, (W, _) = white(3, 40), random_bins(3, len(FREQUENCIES), seed=1)
    blocks = [partial(np.asarray, part) for part in np.split(pack(X), cuts)]
    found = broadband_activities(blocks, W, FREQUENCIES)
    power = np.abs(np.einsum("kcf,tcf->tkf", W, X)) ** 2
    middle = (FREQUENCIES >= 450) & (FREQUENCIES < 3500)
    h = middle / (700 + FREQUENCIES)
    expected = np.exp((np.log(power / power.mean(axis=0) + 0.01) * (h / h.sum())).sum(axis=-1))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_activities_do_not_depend_on_the_scale_of_the_rows() -> None:
    X, (W, _) = white(2, 30), random_bins(2, len(FREQUENCIES), seed=1)
    scale = complex_normal(np.random.default_rng(2), 2, 1, len(FREQUENCIES))
    one, other = (
        broadband_activities([partial(np.asarray, pack(X))], rows, FREQUENCIES)
        for rows in (W, scale * W)
    )
    np.testing.assert_allclose(one, other, rtol=1e-9)


def test_without_a_middle_every_frame_counts_alike() -> None:
    X, (W, _) = white(2, 30), random_bins(2, len(FREQUENCIES), seed=1)
    blocks = [partial(np.asarray, pack(X))]
    found = broadband_activities(blocks, W, FREQUENCIES / 100)
    np.testing.assert_array_equal(found, np.ones((30, 2)))
