"""Files of turns, as other programs read them."""

from __future__ import annotations

import json

import pytest

from auxiva_cli.activity import Turn, format_activity, read_rttm
from auxiva_cli.errors import RecordingError

TURNS = [Turn(0.5, 2.25, 1), Turn(1.0, 4.0, 0), Turn(3.0, 3.5, 1)]


def text(kind, stem="meeting"):
    return format_activity(kind, TURNS, stem=stem, n_src=3, duration=8.0).decode()


def test_rttm_is_what_nist_says():
    first, *others = text("rttm").splitlines()
    assert first == "SPEAKER meeting 1 0.500 1.750 <NA> <NA> speaker2 <NA> <NA>"
    assert len(others) == 2


@pytest.mark.parametrize("stem", ["a b\tc\n.d", " ", "x\u2028y", "\udcff"])
def test_a_name_is_one_word_in_rttm(stem):
    assert all(len(line.split()) == 10 for line in text("rttm", stem).split("\n")[:-1])


def test_rttm_is_read_back(tmp_path):
    path = tmp_path / "m.rttm"
    path.write_text(";; a comment\n" + text("rttm"))
    assert read_rttm(path) == {"speaker1": [(1.0, 4.0)], "speaker2": [(0.5, 2.25), (3.0, 3.5)]}


def test_audacity_reads_labels_between_tabs():
    assert text("audacity").splitlines()[0].split("\t") == ["0.500000", "2.250000", "speaker 2"]


def test_json_counts_the_silent_too():
    content = json.loads(text("json"))
    assert content["seconds"] == 8.0
    assert [own["share"] for own in content["speakers"]] == [0.375, 0.2812, 0.0]
    assert content["speakers"][1] == {
        "speaker": 2, "share": 0.2812, "turns": [[0.5, 2.25], [3.0, 3.5]],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("SPEAKER m 1 0 1 <NA>\n", "malformed"),
        ("SPEAKER m 1 zero 1 <NA> <NA> a <NA> <NA>\n", "malformed"),
        ("SPEAKER m 1 -1 1 <NA> <NA> a <NA> <NA>\n", "malformed"),
        ("SPEAKER m 1 0 -1 <NA> <NA> a <NA> <NA>\n", "malformed"),
        ("SPEAKER m 1 0 inf <NA> <NA> a <NA> <NA>\n", "malformed"),
        ("SPEAKER m 1 nan 1 <NA> <NA> a <NA> <NA>\n", "malformed"),
        ("", "malformed"),
        ("".join(f"SPEAKER {m} 1 0 1 <NA> <NA> a <NA> <NA>\n" for m in "mn"), "malformed"),
        (None, "input-missing"),
    ],
)
def test_other_files_are_refused(tmp_path, content, kind):
    path = tmp_path / "m.rttm"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RecordingError) as caught:
        read_rttm(path)
    assert caught.value.kind == kind
