"""What a run writes beside the sources: who speaks when, and a page."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
import soundfile
from click.testing import CliRunner
from command_line import (
    ENVIRONMENT,
    N_SAMPLES,
    QUICK,
    SAMPLE_RATE,
    contents,
    mixture,
    records,
    separate,
)

from auxiva_cli.activity import read_rttm
from auxiva_cli.batch import beside
from auxiva_cli.cli.main import cli

ALL_KINDS = ("--activity", "rttm", "--activity", "audacity", "--activity", "json")
HOSTILE = "<script>window.caught=1<!-- '\"&\n{{7*7}} \udcff"


def evaluate(*arguments):
    return CliRunner().invoke(cli, ["evaluate", *map(str, arguments)])


class Tags(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page.read_text())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def test_who_speaks_when_is_written_in_every_format(record, out):
    result = separate(record(), "-o", out, *ALL_KINDS, "--json")
    assert result.exit_code == 0, result.output
    names = ["talk.rttm", "talk.txt", "talk.activity.json"]
    (report,) = records(result.stdout).values()
    assert report["beside"] == [str(out / name) for name in names]
    assert len(report["outputs"]) == len(report["sha256"]) == 2
    told = json.loads((out / names[2]).read_text())
    turns = {
        f"speaker{own['speaker']}": [tuple(turn) for turn in own["turns"]]
        for own in told["speakers"]
        if own["turns"]
    }
    assert told["seconds"] == N_SAMPLES / SAMPLE_RATE
    assert turns, "the sources are loud in turn"
    for name, read in read_rttm(out / names[0]).items():
        assert [time for turn in read for time in turn] == pytest.approx(
            [time for turn in turns[name] for time in turn]
        )
    assert len((out / names[1]).read_text().splitlines()) == sum(map(len, turns.values()))


def test_a_picked_source_has_the_activity_of_all(record, out):
    separate(record(), "-o", out / "all", "--activity", "json")
    separate(record(), "-o", out / "one", "--activity", "json", "--pick", "2")
    name = "talk.activity.json"
    assert (out / "one" / name).read_bytes() == (out / "all" / name).read_bytes()


def test_a_recording_whose_activity_is_missing_is_not_done(record, out):
    line = (record(), "-o", out, "--activity", "rttm", "--json", "--skip-existing")
    separate(*line)
    assert next(iter(records(separate(*line).stdout).values()))["status"] == "skipped"
    (out / "talk.rttm").unlink()
    assert next(iter(records(separate(*line).stdout).values()))["status"] == "separated"


@pytest.mark.parametrize(
    ("options", "ending"),
    [(["--activity", "rttm"], ".rttm"), (["--report"], ".html"), (["--report"], "_src2.mp3")],
)
def test_what_is_written_beside_never_replaces_an_input_or_what_exists(
    record, out, options, ending
):
    talk = record()
    out.mkdir()
    there = out / f"talk{ending}"
    there.write_bytes(talk.read_bytes())
    if ending != "_src2.mp3":  # which only a page with a lot of sound writes
        assert "exists already" in separate(talk, "-o", out, *options).stderr
    before = contents(out)
    result = separate(there, "--stem", "talk", "-o", out, "--force", *options)
    assert result.exit_code == 2
    assert "itself" in result.stderr
    assert contents(out) == before


def test_standard_output_has_no_place_for_more(record):
    for options in (["--activity", "rttm"], ["--report"]):
        result = separate(record(), "-o", "-", *options)
        assert result.exit_code == 2
        assert "no place" in result.stderr


def test_the_error_rate_of_activities_is_measured_in_files_and_in_rttm(record, out):
    separate(record(n_samples=4 * N_SAMPLES), "-o", out, "--activity", "rttm")
    rttm, sources = out / "talk.rttm", sorted(out.glob("*.wav"))
    same = json.loads(evaluate(rttm, "--activity", rttm, "--json").stdout)
    assert same["activity"]["error_rate"] == 0
    heard = json.loads(evaluate(*sources, "--activity", rttm, "--json").stdout)["activity"]
    assert heard["error_rate"] < 0.02  # the files hold what was heard, but for their rounding
    shifted = out / "late.rttm"
    shifted.write_text(re.sub(r" 1 (\S+) ", lambda m: f" 1 {float(m[1]) + 50} ", rttm.read_text()))
    late = json.loads(evaluate(shifted, "--activity", rttm, "--json").stdout)["activity"]
    assert (late["missed"], late["false_alarm"], late["error_rate"]) == (1, 1, 2)
    assert "diarisation error rate 200.0 %" in evaluate(shifted, "--activity", rttm).stdout


def test_scores_and_activities_are_measured_together(record, out):
    separate(record(), "-o", out, "--activity", "rttm")
    sources = sorted(out.glob("*.wav"))
    line = ("--reference", sources[0], "--reference", sources[1], *sources)
    result = evaluate(*line, "--activity", out / "talk.rttm")
    assert result.exit_code == 0, result.output
    assert "SI-SDR" in result.stdout
    assert "diarisation" in result.stdout
    assert "activity" not in json.loads(evaluate(*line, "--json").stdout)


def test_evaluate_needs_something_to_compare_with(record):
    result = evaluate(record())
    assert result.exit_code != 0
    assert "--activity" in result.stderr or "--activity" in str(result.exception)


def test_a_page_is_whole_without_a_network(record, out):
    result = separate(record(), "-o", out, "--report")
    assert result.exit_code == 0, result.output
    page = Tags(out / "talk.html")
    assert sorted(path.name for path in out.iterdir()) == [
        "talk.html", "talk_src1.wav", "talk_src2.wav",
    ]  # fmt: skip
    for tag, attributes in page.tags:
        for name in ("src", "data-sound"):
            assert attributes.get(name, "data:").startswith("data:"), tag
    assert [a["href"] for a in page.all("a")] == ["./talk_src1.wav", "./talk_src2.wav"]
    lanes = [row for row in page.all("div") if "lane" in row.get("class", "")]
    assert [bool(row.get("data-sound")) for row in lanes] == [True, True, True]
    for text in ("Output 2", "Mixture", "auxiva", "max_iter"):
        assert text in page.text


def test_the_sound_of_a_page_may_lie_beside_it(record, out):
    separate(record(), "-o", out, "--report", "--report-audio", "link", "--pick", "2")
    page = Tags(out / "talk.html")
    names = [audio["src"] for audio in page.all("audio")]
    assert names == ["./talk_mixture.mp3", "./talk_src1.mp3", "./talk_src2.mp3"]
    for name in names:
        assert soundfile.info(out / name).duration == pytest.approx(N_SAMPLES / SAMPLE_RATE)
    assert [a["href"] for a in page.all("a")] == ["./talk_src2.wav"]
    assert not [row for row in page.all("div") if "data-sound" in row]


def test_a_page_with_too_much_sound_leaves_it_beside_it(record, out, monkeypatch):
    separate(record(), "-o", out, "--report")
    assert not list(out.glob("*.mp3"))
    monkeypatch.setattr(beside, "MOST_EMBEDDED", (out / "talk.html").stat().st_size // 10)
    separate(record(), "-o", out, "--report", "--force")
    assert len(list(out.glob("*.mp3"))) == 3
    separate(record(), "-o", out / "whole", "--report", "--report-audio", "embed")
    assert not list((out / "whole").glob("*.mp3"))


def test_what_is_written_again_at_a_lower_level_is_taken_down_once(record, out):
    loud = record("loud.wav", waveform=8 * mixture(), subtype="FLOAT")
    line = ("-o", out, "--subtype", "PCM_16", "--json", "--activity", "json")
    result = separate(loud, *line, "--report", "--report-audio", "link")
    (report,) = records(result.stdout).values()
    assert report["gain"] < 1
    told = json.loads((out / "loud.activity.json").read_text())
    assert told["seconds"] == N_SAMPLES / SAMPLE_RATE
    for path in out.glob("*.mp3"):
        assert soundfile.info(path).duration == pytest.approx(N_SAMPLES / SAMPLE_RATE)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_filters_are_applied_with_a_page_too(record, out, tmp_path, jobs):
    filters = tmp_path / "f.npz"
    separate(record(), "-o", out, "--save-filters", filters)
    talks = [record(f"in/{name}.wav") for name in "ab"]
    line = ["apply", filters, *talks, "-o", out, "--report", "--jobs", jobs]
    result = CliRunner().invoke(cli, [str(word) for word in line])
    assert result.exit_code == 0, result.output
    page = Tags(out / "a.html").text
    assert "How settled" not in page
    assert (out / "index.html").is_file()


def test_with_references_a_page_has_the_scores_of_evaluate(record, out, tmp_path):
    talk = record()
    # Somebody else's idea of the speakers: separated with fewer iterations.
    separate(talk, "-o", tmp_path / "refs", "-n", "1")
    references = sorted((tmp_path / "refs").glob("*.wav"))
    named = [word for path in references for word in ("--reference", path)]
    result = separate(talk, "-o", out, "--report", *named)
    assert result.exit_code == 0, result.output
    line = (*named, "--mixture", talk, *sorted(out.glob("*.wav")), "--json")
    page = Tags(out / "talk.html").text
    for row in json.loads(evaluate(*line).stdout)["references"]:
        for name in ("si_sdr", "si_sdr_improvement", "sdr"):
            assert f"{row[name]:.1f} dB".replace("-", "\N{MINUS SIGN}") in page


@pytest.mark.parametrize("odd", ["rate", "length", "missing"])
def test_a_reference_of_another_recording_is_refused_before_work(record, out, odd):
    bad = record("ref.wav", n_samples=N_SAMPLES // 2 if odd == "length" else N_SAMPLES,
                 rate=44_100 if odd == "rate" else SAMPLE_RATE)  # fmt: skip
    if odd == "missing":
        bad.unlink()
    result = separate(record(), "-o", out, "--report", "--reference", bad)
    assert result.exit_code == 1
    assert "the reference" in result.stderr
    assert contents(out) == {}


def test_references_are_of_one_recording_and_all_its_sources(record, out):
    talk, other = record(), record("other.wav")
    for line in ([talk], [talk, "--report", "--pick", "1"], [talk, other, "--report"]):
        result = separate(*line, "-o", out, "--reference", talk)
        assert result.exit_code == 2
        assert "eference" in result.stderr


def test_a_batch_has_an_index_of_what_was_done_and_what_failed(record, out, tmp_path):
    record("in/a.wav"), record("in/deep/b.wav", seed=1)
    record("in/c.wav", waveform=[[0.0] * 4000] * 2)
    line = (tmp_path / "in", "-r", "-o", out, "--report")
    assert separate(*line).exit_code == 1
    page = Tags(out / "index.html")
    assert [a["href"] for a in page.all("a")] == ["./a.html", "./deep/b.html"]
    assert "silent" in page.text
    # What was done before is in the index of the next run, too.
    (out / "a.html").unlink()
    assert separate(*line, "--skip-existing").exit_code == 1
    assert [a["href"] for a in Tags(out / "index.html").all("a")] == ["./a.html", "./deep/b.html"]


def test_an_index_leaves_out_what_is_no_page_of_ours(record, out, tmp_path):
    record("in/a.wav"), record("in/b.wav")
    line = (tmp_path / "in", "-o", out, "--report")
    separate(*line)
    (out / "a.html").write_text('<script type="application/json" id="summary">{"name": 1}</script>')
    separate(*line, "--skip-existing")
    assert [a["href"] for a in Tags(out / "index.html").all("a")] == ["./b.html"]


def test_hostile_names_are_text(record, out, tmp_path):
    record(f"in/{HOSTILE}.wav"), record("in/b.wav")
    result = separate(tmp_path / "in", "-o", out, "--report", "--activity", "rttm")
    assert result.exit_code == 0, result.output
    for path in out.glob("*.html"):
        page = Tags(path)
        kinds = [script.get("type") for script in page.all("script")]
        assert kinds in (["application/json", None], [None]), "no script but ours"
        assert "{{7*7}}" in page.text or path.name == "b.html"
        for attributes in page.all("a"):
            assert not re.match(r"\w+:", attributes["href"])


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_without_the_extra_nothing_is_begun(record, out, package):
    script = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv[0] = 'auxiva'\n"
        "from auxiva_cli.__main__ import main; main()"
    )
    line = [sys.executable, "-c", script, "separate", *QUICK, record(), "-o", out, "--report"]
    shown = subprocess.run(line, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert shown.returncode == 2
    assert 'pip install "auxiva[report]"' in shown.stderr
    assert not out.exists()
