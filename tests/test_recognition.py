"""What the figures of recognition rest on: the language, the transcripts, the rooms, the scores."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
import soundfile

from benchmarks.recognition import speech as speech_module
from benchmarks.recognition.language import BEGIN, END, Bigram
from benchmarks.recognition.report import write_report
from benchmarks.recognition.scenes import KINDS, Kind, make
from benchmarks.recognition.scores import Heard, estoi, word_error
from benchmarks.recognition.speech import SAMPLE_RATE, Sentence, find_sentences, words_of
from benchmarks.recognition.voices import SENTENCES, VOICES
from benchmarks.scores import Scores

SAID = [("the", "cat", "sat"), ("the", "cat"), ("a", "dog", "sat")]


def parse_arpa(text):
    """Return the tables of a bigram in ARPA's format: {n-gram: (log10 p, log10 back-off)}."""
    tables, order = {1: {}, 2: {}}, 0
    for line in text.splitlines():
        if line.endswith("-grams:"):
            order = int(line[1])
        elif order and line and not line.startswith("\\"):
            p, *rest = line.split()
            backoff = float(rest[order]) if len(rest) > order else 0.0
            tables[order][tuple(rest[:order])] = float(p), backoff
    return tables


def log_probability(tables, after, word):
    """Return log10 p(word | after) as a reader of ARPA's format computes it."""
    if (after, word) in tables[2]:
        return tables[2][after, word][0]
    return tables[1][(after,)][1] + tables[1][(word,)][0]


@pytest.mark.parametrize("after", [BEGIN, "the", "cat", "sat", "a", "dog"])
def test_the_bigram_is_a_distribution_and_arpa_has_the_same(after):
    bigram = Bigram(SAID)
    words = [*bigram.words, END]
    assert sum(bigram.probability(word, after) for word in words) == pytest.approx(1)
    tables = parse_arpa(bigram.arpa())
    for word in words:
        expected = math.log10(bigram.probability(word, after))
        assert log_probability(tables, after, word) == pytest.approx(expected, abs=1e-4)


def test_the_bigram_is_that_of_witten_and_bell():
    bigram = Bigram(SAID)
    # After "cat", said twice, come two different words; "sat" is 2 of 11 words and ends.
    assert bigram.probability("sat", "cat") == pytest.approx((1 + 2 * 2 / 11) / (2 + 2))
    assert bigram.probability("dog", "cat") == pytest.approx((2 * 1 / 11) / (2 + 2))


def test_the_head_of_arpa_counts_what_follows():
    text = Bigram(SAID).arpa()
    tables = parse_arpa(text)
    assert f"ngram 1={len(tables[1])}\nngram 2={len(tables[2])}\n" in text
    assert text.endswith("\\end\\\n")


def test_examples():
    assert doctest.testmod(speech_module).failed == 0


def write_tone(path, seconds=0.1, sample_rate=SAMPLE_RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    soundfile.write(path, 0.1 * np.sin(2 * np.pi * 300 * time), sample_rate)


def test_transcripts_stand_beside_recordings_or_in_lists(tmp_path):
    write_tone(tmp_path / "19" / "198" / "19-198-0001.flac")
    (tmp_path / "19" / "198" / "19-198.trans.txt").write_text("19-198-0001 NOT AT ALL\n")
    write_tone(tmp_path / "anna_1.wav")
    (tmp_path / "anna_1.txt").write_text("Who's there?\n")
    write_tone(tmp_path / "without.wav")
    found = [(sentence.speaker, sentence.words) for sentence in find_sentences(tmp_path)]
    assert found == [("19", ("not", "at", "all")), ("anna", ("who's", "there"))]


def test_another_sample_rate_is_refused(tmp_path):
    write_tone(tmp_path / "a.wav", sample_rate=8000)
    with pytest.raises(ValueError, match="8000 Hz instead of 16000"):
        Sentence("a", tmp_path / "a.wav", ("hm",)).read()


def test_the_voices_have_names_of_their_own_and_the_sentences_no_odd_marks():
    assert len({voice.speaker for voice in VOICES}) == len(VOICES)
    assert len(VOICES) >= max(kind.n_people for kind in KINDS)
    for sentence in SENTENCES.read_text().splitlines():
        assert len(words_of(sentence)) == len(sentence.split())


@pytest.fixture
def people(tmp_path):
    """Return sentences of four people: noise, in lengths of their own."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(24):
        path = tmp_path / f"{number % 4}" / f"{number}.wav"
        path.parent.mkdir(exist_ok=True)
        noise = rng.standard_normal(round(rng.uniform(5, 9) * SAMPLE_RATE))
        soundfile.write(path, 0.1 * noise, SAMPLE_RATE)
        found.append(Sentence(f"{number % 4}", path, (f"word{number}",)))
    return found


def test_a_sentence_is_heard_between_its_borders_and_pauses_between_them(people):
    example = make(Kind("one", 1, 2, rt60=(0.15, 0.16)), people, seed=3)
    (reading,), (image,) = example.readings, example.references
    assert len(reading.sentences) == len(reading.borders) >= 4
    assert len(set(reading.sentences)) == len(reading.sentences)
    loudest = np.abs(image).max()
    for (start, stop), (following, _) in zip(
        reading.borders[:-1], reading.borders[1:], strict=True
    ):
        assert np.std(image[start + 800 : stop]) > 0.1 * loudest
        # The pause is 0.3 s at least, and the room has fallen silent by its end.
        assert np.std(image[following - 800 : following]) < 0.02 * loudest


def test_the_crowd_is_as_loud_as_the_speakers(people):
    example = make(Kind("crowd", 2, 3, n_crowd=2), people, seed=1)
    assert example.references.shape[0] == 2 == len(example.readings)
    assert example.mixture.shape[0] == 3
    speakers = example.references.sum(axis=0)
    crowd = example.mixture[0] - speakers
    assert 10 * np.log10(np.var(crowd) / np.var(speakers)) == pytest.approx(0, abs=0.7)


def test_early_references_are_the_beginning_of_the_images(people):
    late, early = (
        make(Kind("late", 1, 2, rt60=(0.6, 0.7), early=own), people, seed=2).references[0]
        for own in (False, True)
    )
    first = np.flatnonzero(late)[0]
    # Until the direct sound has been followed for 50 ms, nothing late has arrived.
    np.testing.assert_allclose(early[: first + 800], late[: first + 800], atol=1e-12)
    assert np.var(early) < 0.9 * np.var(late)


def test_scores_are_kept_and_compared_on_the_same_mixtures(tmp_path):
    path = tmp_path / "kept" / "scores.jsonl"
    scores = Scores(path, Heard)
    for number, method, n_errors in (
        (0, "a", 1),
        (1, "a", 3),
        (1, "b", 2),
        (0, "b", 2),
        (2, "a", 9),
    ):
        scores.add(Heard("room", number, method, n_errors, 10, 0.5 + 0.1 * number, 1.0))
    again = Scores(path, Heard)
    assert ("room", 2, "a") in again
    assert ("room", 2, "b") not in again
    common = again.common("room", ("a", "b"))
    assert [s.number for s in common["a"]] == [s.number for s in common["b"]] == [0, 1]
    assert word_error(common["a"]) == pytest.approx(20)
    assert estoi(common["b"]) == pytest.approx(0.55)


def test_the_report_has_a_row_for_each_kind_that_was_scored(tmp_path):
    scores = Scores(tmp_path / "scores.jsonl", Heard)
    for method in ("image", "ours"):
        scores.add(Heard("2 speakers", 0, method, 1 + len(method), 50, 0.9, 12.0))
    kinds = {"2 speakers": ("image", "ours"), "4 speakers": ("image", "ours")}
    write_report(scores, kinds, ("image", "elsewhere", "ours"), "voices", tmp_path)
    text = (tmp_path / "RECOGNITION.md").read_text()
    assert "| 2 speakers | 1 | 12.0 |  | 10.0 |" in text
    assert "4 speakers" not in text
    assert (tmp_path / "recognition_voices.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_is_reported_of_a_mixture_that_was_not_scored_by_all(tmp_path):
    scores = Scores(tmp_path / "scores.jsonl", Heard)
    scores.add(Heard("2 speakers", 0, "image", 6, 50, 1.0, 100.0))
    write_report(scores, {"2 speakers": ("image", "ours")}, ("image", "ours"), "voices", tmp_path)
    assert not (tmp_path / "RECOGNITION.md").exists()
