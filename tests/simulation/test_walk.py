"""Who walks is heard from where he is, in step with the mixture, and nobody else is moved."""

from __future__ import annotations

import numpy as np
import pytest

from auxiva_cli.errors import ParameterError
from auxiva_cli.simulation import Talk, Walk, simulate_room
from auxiva_cli.simulation.walk import image_along

RATE = 4000


@pytest.fixture(scope="module")
def speech():
    rng = np.random.default_rng(5)
    return [rng.standard_normal(8 * RATE) for _ in range(3)]


def walked(speech, walks, seed=1):
    return simulate_room(speech, sample_rate=RATE, rt60=0.3, snr=30.0, walks=walks, seed=seed)


@pytest.fixture(scope="module")
def scene(speech):
    return walked(speech, {1: Walk(1.5, start=2.0, stop=6.0)})


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("distance", [0.5, 3.0])
def test_a_path_is_as_long_as_asked_for_and_keeps_its_distances(distance, seed):
    scene = simulate_room(
        [np.ones(800)] * 3, sample_rate=800, rt60=0.3, walks={1: Walk(distance)}, seed=seed
    )
    room, path = scene.room, scene.paths[1]
    np.testing.assert_allclose(path[0], room.speakers[1], rtol=1e-12)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert steps.sum() == pytest.approx(distance, rel=1e-3)
    assert steps.max() <= 0.03 + 1e-9
    assert (path[:, :2] >= 0.5).all()
    assert (path[:, :2] <= room.size[:2] - 0.5).all()
    from_centre = np.linalg.norm(path - room.microphones.mean(axis=0), axis=1)
    assert from_centre.min() >= room.critical_distance * (1.0 - 1e-6)
    for sitter in (0, 2):
        np.testing.assert_array_equal(scene.paths[sitter], room.speakers[sitter : sitter + 1])
        assert np.linalg.norm(path - room.speakers[sitter], axis=1).min() >= 0.5


def test_before_he_sets_off_and_after_he_arrived_he_is_heard_from_there(scene):
    n_taps = scene.responses.shape[-1]
    scale = np.linalg.norm(scene.responses[1]) / np.linalg.norm(
        scene.room.responses(scene.paths[1][:1], RATE)
    )
    for place, heard in (
        (scene.paths[1][:1], slice(0, 2 * RATE)),
        (scene.paths[1][-1:], slice(6 * RATE + n_taps, None)),
    ):
        response = scale * scene.room.responses(place, RATE)[0]
        for m in range(3):
            expected = np.convolve(scene.speech[1], response[m])[: 8 * RATE]
            np.testing.assert_allclose(scene.images[1, m, heard], expected[heard], atol=1e-10)


def test_images_and_noise_sum_to_the_mixture_of_a_walk_too(scene):
    np.testing.assert_array_equal(scene.images.sum(axis=0) + scene.noise, scene.mixture)


def test_others_are_heard_as_if_nobody_walked(scene, speech):
    still = walked(speech, None)
    for k in (0, 2):
        ratio = scene.images[k] / still.images[k]
        np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-6)


def test_halfway_he_is_heard_from_the_middle_of_the_path(scene):
    """Over 50 ms in the middle, the image is nearest to that of a sitter in the middle."""
    path = scene.paths[1]
    heard = slice(4 * RATE - 100, 4 * RATE + 100)
    errors = []
    for place in path[[0, len(path) // 2, -1]]:
        response = scene.room.responses(place[np.newaxis], RATE)[0, 0]
        still = np.convolve(scene.speech[1], response)[heard]
        image = scene.images[1, 0, heard]
        errors.append(1.0 - np.vdot(still, image) ** 2 / (np.sum(still**2) * np.sum(image**2)))
    assert errors[1] < 0.1 * min(errors[0], errors[2])


def test_speech_is_shared_out_whole_among_the_points():
    rng = np.random.default_rng(6)
    said, response = rng.standard_normal(3000), rng.standard_normal((2, 50))
    expected = [np.convolve(said, taps)[:3000] for taps in response]
    for progress in (np.linspace(0.0, 1.0, 3000), np.abs(np.linspace(-1.0, 1.0, 3000))):
        heard = image_along(said, np.array([response] * 7), progress)
        np.testing.assert_allclose(heard, expected, atol=1e-11)


def test_progress_goes_from_start_to_stop_and_back_where_asked_for():
    progress = Walk(2.0, start=1.0, stop=3.0).progress(40, 10)
    np.testing.assert_allclose(progress[[0, 10, 15, 20, 30, 39]], [0, 0, 0.25, 0.5, 1, 1])
    back = Walk(2.0, start=1.0, stop=3.0, back=True).progress(40, 10)
    np.testing.assert_allclose(back[[0, 10, 15, 20, 25, 30, 39]], [0, 0, 0.5, 1, 0.5, 0, 0])


def test_two_can_walk_while_they_take_turns(speech):
    talk = Talk("turns", duration=16.0)
    scene = simulate_room(
        speech, sample_rate=RATE, rt60=0.3, walks={0: Walk(1.0), 2: Walk(1.0)}, talk=talk
    )
    assert [len(path) > 1 for path in scene.paths] == [True, False, True]
    np.testing.assert_array_equal(scene.images.sum(axis=0) + scene.noise, scene.mixture)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"distance": 0.0}, "distance=0.0"),
        ({"distance": 1.0, "start": -1.0}, r"from -1.0 to None"),
        ({"distance": 1.0, "start": 2.0, "stop": 2.0}, "from 2.0 to 2.0"),
    ],
)
def test_walks_out_of_range_are_refused_with_their_value(settings, words):
    with pytest.raises(ParameterError, match=words):
        Walk(**settings)


@pytest.mark.parametrize(
    ("walks", "words"),
    [
        ({3: Walk(1.0)}, "speaker 3"),
        ({1: Walk(1.0, start=5.0, stop=9.0)}, r"5 to 9 s does not fit into 8\.0 s"),
        ({1: Walk(1.0, start=8.0)}, r"8 to 8 s does not fit"),
        ({1: Walk(40.0)}, "no way of 40 m for speaker 2"),
    ],
)
def test_walks_that_do_not_fit_are_refused(speech, walks, words):
    with pytest.raises(ParameterError, match=words):
        walked(speech, walks)
