"""Two who speak in a crowd: it has outputs of its own, which are left out."""

from __future__ import annotations

import numpy as np
from signals import SAMPLE_RATE, make_images, worst_si_sdr

from auxiva_cli import separate

QUICKLY = {"n_fft": 4096, "max_iter": 12, "motion": "off", "n_threads": 1}
AT_ONCE = {**QUICKLY, "max_iter": 8}
# Two speakers, and at the first microphone six who are 10 dB below each of them.
LEVELS = np.array([1, 1, *6 * [0.3]])
IMAGES = make_images(8, 6, seconds=6.0, seed=8)
IMAGES *= (0.1 * LEVELS / IMAGES[:, 0].std(axis=1))[:, None, None]
MIXTURE = IMAGES.sum(axis=0)
KINDS = {"crowd"}


def kinds(result):
    return {notice.kind for notice in result.notices}


def test_the_speakers_are_the_loudest_of_as_many_outputs_as_microphones():
    two = separate(MIXTURE, SAMPLE_RATE, n_src=2, rest=True, **QUICKLY)
    every = separate(MIXTURE, SAMPLE_RATE, n_src=6, **QUICKLY)
    np.testing.assert_array_equal(two.demixing_matrices, every.demixing_matrices[:2])
    assert kinds(two) >= KINDS
    assert not kinds(every) & KINDS
    mixture = worst_si_sdr(IMAGES[:2, 0], np.repeat(MIXTURE[:1], 2, axis=0))
    assert worst_si_sdr(IMAGES[:2, 0], two.sources) > mixture + 6
    np.testing.assert_allclose(two.sources.sum(axis=0) + two.rest, MIXTURE[0], atol=1e-6)


def test_without_a_file_for_the_rest_the_speakers_still_sum_to_the_microphone():
    found = separate(MIXTURE, SAMPLE_RATE, n_src=2, **AT_ONCE)
    np.testing.assert_allclose(found.sources.sum(axis=0), MIXTURE[0], atol=1e-6)


def test_at_the_microphone_where_each_is_loudest_the_crowd_is_left_out_as_well():
    found = separate(MIXTURE, SAMPLE_RATE, n_src=2, ref_chan="loudest", **AT_ONCE)
    assert found.sources.shape == (2, MIXTURE.shape[1])
    assert kinds(found) >= KINDS


def test_where_memory_does_not_hold_a_crowd_there_is_none():
    found = separate(MIXTURE, SAMPLE_RATE, n_src=2, max_memory=200 * 2**20, **AT_ONCE)
    assert found.sources.shape == (2, MIXTURE.shape[1])
    assert not kinds(found) & KINDS


def test_the_published_model_knows_no_crowd():
    found = separate(MIXTURE, SAMPLE_RATE, n_src=2, model="laplace", **AT_ONCE)
    assert not kinds(found) & KINDS
