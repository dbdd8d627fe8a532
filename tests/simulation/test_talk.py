"""Who talks when: as long, as often and as much at once as was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from auxiva_cli.errors import ParameterError
from auxiva_cli.simulation.talk import Talk, draw_activity, pour

RATE = 1000


def drawn(talk, lengths=(3000, 2000, 2500), seed=0):
    return draw_activity(talk, lengths, RATE, np.random.default_rng(seed))


def lengths_of_runs(active):
    edges = np.flatnonzero(np.diff(active.astype(int), prepend=0, append=0))
    return np.diff(edges.reshape(-1, 2), axis=1).ravel() / RATE


def test_by_default_everybody_says_all_at_once():
    activity = drawn(Talk())
    np.testing.assert_array_equal(activity.sum(axis=1), [3000, 2000, 2500])
    assert activity[:, :2000].all()


def test_with_a_duration_everybody_talks_up_to_its_end():
    activity = drawn(Talk(duration=7.5))
    assert activity.shape == (3, 7500)
    assert activity.all()


def test_nobody_talks_in_the_lead():
    activity = drawn(Talk("turns", duration=20.0, lead=4.0))
    assert activity.shape == (3, 20000)
    assert not activity[:, :4000].any()
    assert activity[:, 4000].any()
    assert drawn(Talk(lead=4.0)).shape == (3, 7000)


@pytest.mark.parametrize("duration", [None, 20.0])
def test_pauses_are_for_all_and_as_long_as_asked_for(duration):
    activity = drawn(Talk(pauses=(0.8, 1.2), lead=0.5, duration=duration))
    n_samples = 0.5 + 3.0 + 3 * 1.2 if duration is None else duration
    assert activity.shape[1] == round(n_samples * RATE)
    cycle = np.arange(activity.shape[1] - 500) % 2000 < 800
    np.testing.assert_array_equal(activity[0, 500:], cycle)
    assert not activity[1:, 500:][:, ~cycle].any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("overlap", [0.0, 0.05, 0.1, 0.2, 0.3])
def test_in_turns_as_much_is_said_at_once_as_asked_for(overlap, seed):
    n_talking = drawn(Talk("turns", duration=120.0, overlap=overlap), seed=seed).sum(axis=0)
    assert n_talking.max() <= 2
    talked = (n_talking > 0).sum()
    # Off by one overlap at the most, which is no longer than half of the longest turn.
    off = 0.0 if overlap == 0.0 else 2.5 * RATE / talked
    assert (n_talking > 1).sum() / talked == pytest.approx(overlap, abs=off)
    assert (n_talking > 0).mean() > 0.75


def test_turns_last_1_5_to_5_seconds_and_nobody_follows_himself():
    activity = drawn(Talk("turns", duration=200.0, overlap=0.0))
    turns = np.concatenate([lengths_of_runs(own) for own in activity])
    assert turns.min() >= 1.499 or turns[turns < 1.499].size == 1  # the last is cut off
    assert turns.max() <= 5.001
    who = activity[:, activity.any(axis=0)].argmax(axis=0)
    starts = np.flatnonzero(np.diff(activity.any(axis=0).astype(int), prepend=0) == 1)
    order = activity[:, starts].argmax(axis=0)
    assert (np.diff(order) != 0).all()
    assert set(who) == {0, 1, 2}


def test_one_speaker_takes_turns_with_silence():
    activity = drawn(Talk("turns", duration=60.0), lengths=(3000,))
    assert 0.6 < activity.mean() < 0.95


def test_streams_do_not_mind_each_other():
    activity = drawn(Talk("streams", duration=600.0))
    np.testing.assert_allclose(activity.mean(axis=1), 0.5, atol=0.1)
    both = (activity[0] & activity[1]).mean()
    assert both == pytest.approx(activity[0].mean() * activity[1].mean(), abs=0.05)


def test_another_seed_makes_another_schedule():
    talk = Talk("turns", duration=20.0)
    assert (drawn(talk, seed=1) != drawn(talk, seed=2)).any()
    np.testing.assert_array_equal(drawn(talk, seed=1), drawn(talk, seed=1))


def test_who_does_not_get_a_word_in_is_named():
    with pytest.raises(
        ParameterError, match=r"speaker . of 9 does not get a word in within 5\.0 s"
    ):
        drawn(Talk("turns", duration=5.0), lengths=(1000,) * 9)
    with pytest.raises(ParameterError, match="does not get a word in"):
        drawn(Talk(duration=5.0, lead=5.0))


def test_speech_goes_on_at_the_next_turn_and_begins_again_when_all_is_said():
    words = np.arange(1.0, 301.0)
    activity = np.zeros((1, 1000), dtype=bool)
    activity[0, 100:300] = activity[0, 500:900] = True
    said = pour([words], activity, RATE)[0]
    assert not said[~activity[0]].any()
    np.testing.assert_array_equal(said[110:290], np.arange(11.0, 191.0))
    np.testing.assert_array_equal(said[510:600], np.arange(211.0, 301.0))
    np.testing.assert_array_equal(said[600:890], np.arange(1.0, 291.0))


def test_turns_begin_and_end_softly():
    activity = np.zeros((1, 1000), dtype=bool)
    activity[0, 300:600] = True
    said = pour([np.ones(10)], activity, RATE)[0]
    assert (np.diff(said[300:310]) >= 0.0).all()
    assert np.abs(np.diff(said)).max() < 0.3


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "monologue"}, "monologue"),
        ({"duration": 0.0}, "duration=0.0"),
        ({"duration": float("inf")}, "duration=inf"),
        ({"lead": -1.0}, "lead=-1.0"),
        ({"pauses": (0.0, 1.0)}, r"pauses=\(0.0, 1.0\)"),
        ({"pauses": (1.0, -1.0)}, r"pauses=\(1.0, -1.0\)"),
        ({"overlap": 0.31}, "overlap=0.31"),
    ],
)
def test_settings_out_of_range_are_refused_with_their_value(settings, words):
    with pytest.raises(ParameterError, match=words):
        Talk(**settings)
