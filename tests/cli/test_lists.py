"""``--files-from``: lists of names, and manifests of other programs."""

from __future__ import annotations

import gzip
import io
import json

import pytest
from command_line import contents, records, separate

from auxiva_cli.batch import lists
from auxiva_cli.batch.lists import read_list
from auxiva_cli.errors import ParameterError

NEMO = '{"audio_filepath": "a b.wav", "duration": 1.5}\n{"audio_filepath": ["c.wav"]}\n'
LHOTSE = (
    '{"id": "a", "sources": [{"type": "file", "channels": [0, 1], "source": "a b.wav"}], '
    '"sampling_rate": 8000, "num_samples": 12000, "duration": 1.5}\n'
    '{"id": "c", "sources": [{"type": "file", "channels": [0], "source": "c.wav"}]}\n'
)
KALDI = "first-1  a b.wav\nsecond c.wav \n"
PLAIN = "a b.wav\nc.wav\n"


def listed(text, name="list", pack=bytes):
    return read_list(io.BytesIO(pack(text.encode())), name=name)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("text", "name"),
    [(PLAIN, "list"), (NEMO, "m.json"), (LHOTSE, "recordings.jsonl"), (KALDI, "data/wav.scp")],
    ids=["plain", "nemo", "lhotse", "kaldi"],
)
def test_every_kind_of_list_gives_the_same_names(text, name, pack):
    name += ".gz" * (pack is gzip.compress)
    assert listed(text, name, pack) == ["a b.wav", "c.wav"]
    assert listed("\ufeff" + text.replace("\n", "\r\n\n"), name, pack) == ["a b.wav", "c.wav"]


def test_a_recording_of_several_lines_of_a_manifest_is_one():
    assert listed(NEMO + NEMO) == ["a b.wav", "c.wav"]
    assert listed("x y.wav\nb y.wav\n", "wav.scp") == ["y.wav"]


def test_names_that_look_like_manifests_are_names():
    assert listed("{a}.wav\nx |\n") == ["{a}.wav", "x |"]
    assert read_list(io.BytesIO(NEMO.encode()), b"\0") == [NEMO]


@pytest.mark.parametrize(
    ("text", "name", "what"),
    [
        ("u a.wav\nv sph2pipe -f wav b.sph |\n", "wav.scp", "line 2 is a command"),
        ("u a.wav\n\nv\n", "wav.scp", "line 3 has an utterance and no file"),
        ('{"audio_filepath": "a"}\nb.wav\n', "m", "line 2 is no JSON"),
        ('{"audio_filepath": "a"}\n[]\n', "m", "line 2 is no object"),
        ('{"a": ' + "[" * 10**5 + "\n", "m", "line 1 is no JSON"),
        ('{"text": "a"}\n', "m", "line 1 has neither audio_filepath nor sources"),
        ('{"audio_filepath": null}', "m", "line 1 names no file"),
        ('{"audio_filepath": "a\\u0000b"}', "m", "line 1 names no file"),
        ('{"audio_filepath": "\\ud800"}', "m", "line 1 has a name that no file can have"),
        ('{"audio_filepath": ["1.wav", "2.wav"]}', "m", "line 1 has 2 files, and one"),
        ('{"sources": [{"type": "url", "source": "u"}]}', "m", "has a source that is no file"),
        ('{"sources": {}}', "m", "line 1 has no list of sources"),
        ('{"x": 1}\n' * 9, "m", "; 6 more"),
    ],
)  # fmt: skip
def test_bad_lines_are_named_with_their_numbers(text, name, what):
    with pytest.raises(ParameterError) as caught:
        listed(text, name)
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (gzip.compress(PLAIN.encode())[:-9], "packed by gzip, and damaged"),
        (b"\x1f\x8b\x08garbage of no use", "packed by gzip, and damaged"),
        (gzip.compress(b"a" * 2**24), "a line of the list is longer than 1 MiB"),
        (gzip.compress((b"a" * 2047 + b"\n") * 2**17 + b"a" * 2**20, 1), "is longer than 256 MiB"),
        (gzip.compress(b"a\n" * 2**16), "has more than 10000 lines"),
        (gzip.compress(b"a\0b"), "holds a NUL byte"),
    ],
    ids=["cut", "garbage", "line", "bomb", "lines", "nul"],
)
def test_a_hostile_list_is_refused(monkeypatch, content, what):
    if "lines" in what:
        monkeypatch.setattr(lists, "MOST_LINES", 10_000)
    with pytest.raises(ParameterError, match=what):
        read_list(io.BytesIO(content))


def test_the_log_of_a_run_is_a_list_of_what_it_wrote(record, tmp_path, out):
    (tmp_path / "log.jsonl").write_text(
        separate(record("a.wav"), record("mono.wav", n_chan=1), "-o", out, "--all-channels",
                 "--json").stdout
    )  # fmt: skip
    lines = list(map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines()))
    assert (
        lines[0]["audio_filepath"] == lines[0]["outputs"] == [f"{out}/a_src{n}.wav" for n in (1, 2)]
    )
    assert lines[0]["duration"] == 1.5
    assert lines[1]["audio_filepath"] == []
    again = separate(
        "--files-from", tmp_path / "log.jsonl", "-o", tmp_path / "again", "--pick", "1", "--json"
    )
    assert list(records(again.stdout)) == lines[0]["outputs"]
    assert sorted(contents(tmp_path / "again")) == ["a_src1_src1.wav", "a_src2_src1.wav"]
    (path,) = {record["audio_filepath"] for record in records(again.stdout).values()} - {
        f"{tmp_path}/again/a_src2_src1.wav"
    }
    assert path == f"{tmp_path}/again/a_src1_src1.wav"
