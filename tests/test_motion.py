"""Speakers who move: found, followed, told, saved; and nothing changes where nobody moves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from oracle import Array
from problems import complex_normal

from auxiva_cli import Filters, learn, separate, separation
from auxiva_cli.bss.fold import pack
from auxiva_cli.bss.scaling import sum_to_identity
from auxiva_cli.bss.source_models import gauss
from auxiva_cli.bss.updates.ipa import ipa
from auxiva_cli.cli.main import cli
from auxiva_cli.config import Settings
from auxiva_cli.errors import FiltersError, ParameterError
from auxiva_cli.evaluation import si_bss_eval
from auxiva_cli.filters import Course
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.listening.stft import Stft
from auxiva_cli.motion import Motion, Segment, Start, Timeline, most_centres, track
from auxiva_cli.observer import Observer
from auxiva_cli.parallel import Threads

SAMPLE_RATE, SECONDS, N_FFT = 4000, 24, 512


def scene(moves: bool) -> tuple[Array, Array]:
    """Return a mixture of two, the second of whom may change his seat, and their images."""
    rng = np.random.default_rng(0)
    n_samples = SAMPLE_RATE * SECONDS
    loudness = np.exp(rng.standard_normal((2, n_samples // 400)))
    speech = rng.laplace(size=(2, n_samples)) * np.repeat(loudness, 400, axis=1)
    elsewhere = np.arange(n_samples) > n_samples / 2 if moves else np.zeros(n_samples, bool)
    way = np.where(elsewhere, np.array([[0.9], [-0.4]]), np.array([[0.5], [1.0]]))
    images = np.array([np.array([[1.0], [0.6]]) * speech[0], way * speech[1]])
    noise = 1e-3 * rng.standard_normal((2, n_samples))
    return images.sum(axis=0) + noise, images[:, 0]


MOVING, IMAGES = scene(moves=True)
STILL, _ = scene(moves=False)


def sdr(sources: Array) -> float:
    """Return the mean SI-SDR of sources in dB."""
    return float(si_bss_eval(IMAGES, sources).sdr.mean())


def test_who_moves_is_found_and_followed() -> None:
    off = separate(MOVING, SAMPLE_RATE, n_fft=N_FFT, motion="off")
    auto = separate(MOVING, SAMPLE_RATE, n_fft=N_FFT, motion="auto")
    assert off.motion is None
    assert auto.motion is not None
    assert len(auto.motion.moving) == 1
    (segment,) = auto.motion.segments
    assert segment.source in auto.motion.moving
    assert segment.start == pytest.approx(SECONDS / 2, abs=3)
    assert segment.end == SECONDS
    assert sdr(auto.sources) > sdr(off.sources) + 6
    np.testing.assert_allclose(auto.sources.sum(axis=0), MOVING[0], atol=1e-4)


def test_where_nobody_moves_nothing_changes() -> None:
    off = separate(STILL, SAMPLE_RATE, n_fft=N_FFT, motion="off")
    auto = separate(STILL, SAMPLE_RATE, n_fft=N_FFT, motion="auto")
    assert auto.motion is not None
    assert auto.motion.moving == ()
    assert auto.filters.course is None
    assert auto.sources.tobytes() == off.sources.tobytes()


def test_filters_follow_only_in_their_recording(tmp_path: Path) -> None:
    result = separate(MOVING, SAMPLE_RATE, n_fft=N_FFT, motion="auto")
    result.filters.save(tmp_path / "f.npz")
    filters = Filters.load(tmp_path / "f.npz")
    np.testing.assert_allclose(filters.apply(MOVING), result.sources, atol=1e-6)
    assert filters.to_bytes() == result.filters.to_bytes()
    alike = MOVING * 1.01  # as long, but another
    fixed = replace(filters, course=None)
    np.testing.assert_array_equal(filters.apply(alike), fixed.apply(alike))
    assert np.abs(filters.apply(MOVING) - fixed.apply(MOVING)).max() > 0.1


def test_it_is_asked_for_where_a_stretch_teaches() -> None:
    stretch = (0.0, 10.0)
    filters = learn(MOVING, SAMPLE_RATE, n_fft=N_FFT, learn_from=stretch, motion="auto")
    assert filters.course is None
    with pytest.raises(ParameterError, match="learn_from"):
        learn(MOVING, SAMPLE_RATE, n_fft=N_FFT, learn_from=stretch, motion="on")


def test_more_microphones_than_speakers() -> None:
    third = 0.7 * MOVING[0] - 0.2 * MOVING[1]
    noise = 0.01 * np.random.default_rng(1).standard_normal(third.shape)
    mixture = np.stack([*MOVING, third + noise])
    with Threads(1) as threads:
        off, on = (
            separation.learn(
                ArrayMixture(mixture, SAMPLE_RATE),
                Settings(n_src=2, n_fft=N_FFT, motion=motion),
                threads=threads,
                observer=Observer(),
            )
            for motion in ("off", "on")
        )
    assert sdr(on.filters.apply(mixture)) > sdr(off.filters.apply(mixture)) + 3
    # Windows of 8 s, every 2 s, are read twice for what is left of the microphones.
    assert off.n_passes + 7 <= on.n_passes <= off.n_passes + 16
    images = on.filters.images(mixture).sum(axis=0)
    np.testing.assert_allclose(images, mixture, atol=1e-4)


def course(n_centres: int = 3) -> Course:
    """Return random filters along a second of two channels."""
    rng = np.random.default_rng(2)
    G = [sum_to_identity(complex_normal(rng, 2, 2, 2, 129)) for _ in range(n_centres)]
    centres = np.linspace(300, 3700, n_centres).astype(int)
    return Course(centres, np.array(G, np.complex64), SAMPLE_RATE, np.ones(2))


def test_filters_follow_among_more_channels() -> None:
    rng = np.random.default_rng(5)
    few, chosen = rng.standard_normal((2, SAMPLE_RATE)), np.array([0, 2])
    path = replace(course(), rms=few.std(axis=1))
    filters = Filters(path.G[0], Stft(256, 64, "hann"), SAMPLE_RATE, 0, course=path)
    many = rng.standard_normal((3, SAMPLE_RATE))
    many[chosen] = few
    expected = filters.apply(few)
    assert np.abs(expected - replace(filters, course=None).apply(few)).max() > 0.1
    np.testing.assert_allclose(filters.among(chosen, 3).apply(many), expected, atol=1e-4)


def test_a_recording_is_known_again_by_the_channels_that_are_used() -> None:
    path = replace(course(), rms=np.array([0.5, 0.0]))  # learnt from the first alone
    assert path.is_of(SAMPLE_RATE, np.array([0.5, 0.3]))
    assert not path.is_of(SAMPLE_RATE, np.array([0.4, 0.3]))
    assert not path.is_of(SAMPLE_RATE, np.array([0.0, 0.3]))
    assert not path.is_of(SAMPLE_RATE + 1, np.array([0.5, 0.3]))


@pytest.mark.parametrize("n_centres", [1, 2, 3])
def test_filters_sum_to_the_identity_at_every_instant(n_centres: int) -> None:
    rng = np.random.default_rng(3)
    X, times = complex_normal(rng, 40, 2, 129), np.linspace(-500, 4500, 40)
    sources, channels = np.repeat([0, 1], 2), np.tile([0, 1], 2)
    Y = course(n_centres).product(sources, channels, X, times).reshape(40, 2, 2, 129)
    np.testing.assert_allclose(Y.sum(axis=1), X, atol=1e-4)


def test_between_centres_filters_are_interpolated() -> None:
    path = course()
    X = complex_normal(np.random.default_rng(4), 1, 2, 129)
    middle = (path.centres[0] + path.centres[1]) / 2
    for time, G in (
        (path.centres[1], path.G[1]),
        (middle, (path.G[0] + path.G[1]) / 2),
        (-9e9, path.G[0]),
        (9e9, path.G[2]),
    ):
        expected = np.einsum("cf,cf->f", G[1, 0], X[0])
        found = path.product(np.array([1]), np.array([0]), X, np.array([time]))[0, 0]
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda path: replace(path, centres=path.centres[::-1]), "out of order"),
        (lambda path: replace(path, centres=path.centres + 9999), "out of order"),
        (lambda path: replace(path, n_samples=0), "sets of filters"),
        (lambda path: replace(path, G=2 * path.G), "sum"),
    ],
)
def test_a_course_that_cannot_be_is_refused(spoil, word: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = course()
    filters = Filters(path.G[0], Stft(256, 64, "hann"), SAMPLE_RATE, 0, course=spoil(path))
    filters.save(tmp_path / "f.npz")
    with pytest.raises(FiltersError, match=word):
        Filters.load(tmp_path / "f.npz")


def along(seats: tuple[int, ...], frames: int = 192) -> tuple[Timeline, Start]:
    """Return a mixture of two, of whom some walk, and what separates it in the middle."""
    rng, n_freq = np.random.default_rng(6), 33
    first, last = complex_normal(rng, 2, 2, 2, n_freq)
    stay = [k for k in (0, 1) if k not in seats]
    last[:, stay] = first[:, stay]
    A = first + np.linspace(0, 1, frames)[:, None, None, None] * (last - first)
    loudness = np.exp(rng.standard_normal((frames, 2, 1)))
    X = np.einsum("tckf,tkf->tcf", A, loudness * complex_normal(rng, frames, 2, n_freq))
    W = np.linalg.inv(A[frames // 2].transpose(2, 0, 1)).transpose(1, 2, 0)
    timeline = Timeline(lambda chosen: pack(X[chosen]), np.arange(frames) / 8, frames / 8, 0.25)
    return timeline, Start(W, frames / 16)


@pytest.mark.parametrize(
    ("seats", "scores", "told"),
    [
        ((0,), (2.9, 3.0), {0}),
        ((1,), (3.0, 2.9), {1}),
        ((), (2.9, 3.0), {0, 1}),  # either, for all that is known
        ((), (3.0, 2.9), {0, 1}),
    ],
)
def test_the_cost_tells_who_moves_where_scores_are_alike(
    seats: tuple[int, ...], scores: tuple[float, ...], told: set[int]
) -> None:
    timeline, start = along(seats)
    model = gauss(start.W.shape[-1])
    with Threads(1) as threads:
        _, _, moving = track(timeline, [start], model, np.array(scores), 12, 9999, ipa, threads)
    assert set(moving) == told


def test_a_timeline_is_covered_evenly() -> None:
    timeline = Timeline(np.ones, np.zeros(0), 24.0, 0.5)
    assert timeline.centres(2.0).tolist() == [1.0 + 2 * i for i in range(12)]
    assert timeline.centres(100.0).tolist() == [12.0]


def test_as_many_sets_of_filters_as_memory_holds() -> None:
    assert most_centres(2, 2, 4097, 2**40) == 150
    few = most_centres(3, 4, 8193, 2**27)
    assert 2 < few < most_centres(3, 4, 8193, 2**28)
    assert few * 8 * 3 * 4**2 * 8193 < 2**27
    assert most_centres(3, 4, 8193, 0) == 2


def test_windows_keep_no_more_frames_in_memory_than_they_may() -> None:
    made: list[int] = []

    def table(chosen: Array) -> Array:
        made.append(len(chosen))
        return np.ones((len(chosen), 4, 5))

    timeline = Timeline(table, np.arange(0, 24, 0.1), 24.0, 0.4)
    assert len(timeline.windows(2.0, 0)) == 12
    assert made == []
    timeline.windows(2.0, 200)
    assert 100 < sum(made) <= 200


def test_motion_is_told_in_the_order_of_the_sources() -> None:
    motion = Motion(np.array([1.0, 3.0]), (1,), (Segment(1, 2.0, 4.0),), np.array([1.0, 9.0]))
    told = motion.in_order(np.array([1, 0]), 10.0)
    assert told.as_dict() == {
        "score": 3.0,
        "moving": True,
        "sources": [1],
        "segments": [{"source": 1, "start": 12.0, "end": 14.0}],
    }
    assert told.centres.tolist() == [11.0, 19.0]
    assert [notice.kind for notice in told.notices()] == ["motion-rough"]  # steps of 8 s
    assert replace(told, centres=np.array([1.0, 3.0])).notices() == []


def test_the_command_tells_who_moves(tmp_path: Path) -> None:
    recording, other = tmp_path / "walk.wav", tmp_path / "other.wav"
    level = np.abs(MOVING).max()
    soundfile.write(recording, MOVING.T / level, SAMPLE_RATE, "FLOAT")
    soundfile.write(other, MOVING[:, 8000:].T / level, SAMPLE_RATE, "FLOAT")
    runner, filters = CliRunner(), tmp_path / "f.npz"
    arguments = [
        "separate",
        str(recording),
        "--n-fft",
        str(N_FFT),
        "--motion",
        "auto",
        "-o",
        str(tmp_path / "out"),
    ]
    run = runner.invoke(cli, [*arguments, "--json", "--save-filters", str(filters)])
    assert run.exit_code == 0, run.output
    assert "a speaker moves (source" in run.stderr
    assert "filters follow" in run.stderr
    record = json.loads(run.stdout)
    assert record["motion"]["moving"] is True
    assert record["settings"]["motion"] == "auto"
    for name, expected in ((recording, False), (other, True)):
        run = runner.invoke(cli, ["apply", str(filters), str(name), "-o", str(tmp_path / "two")])
        assert run.exit_code == 0, run.output
        assert ("motion-elsewhere" in run.stderr) is expected
    for name in ("walk_src1.wav", "walk_src2.wav"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
