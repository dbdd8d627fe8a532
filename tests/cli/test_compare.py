"""``auxiva compare`` as a user runs it."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import struct

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from auxiva_cli.cli.main import cli

SAMPLE_RATE = 8000
COLUMNS = ["iteration", "seconds", "cost", "si_sir", "si_sdr"]
QUICK = ("-n", 6, "--n-fft", 256, "--threads", 1)


@pytest.fixture
def files(tmp_path):
    """A mixture of two channels, and its two references."""
    rng = np.random.default_rng(0)
    loudness = np.repeat(rng.gamma(0.3, size=(2, 60)), 400, axis=1)
    sources = 0.05 * loudness * rng.standard_normal(loudness.shape)
    soundfile.write(tmp_path / "[b]mix.wav", ([[1, 0.6], [0.5, 1]] @ sources).T, SAMPLE_RATE)
    paths = [tmp_path / "[b]mix.wav"]
    for name, samples in (("anna", sources[0]), ("ben", 0.6 * sources[1])):
        paths.append(tmp_path / f"{name}.wav")
        soundfile.write(paths[-1], samples, SAMPLE_RATE)
    return paths


def run(*arguments):
    return CliRunner().invoke(cli, ["compare", *map(str, arguments)])


def judged(files):
    return files[0], "--reference", files[1], "--reference", files[2]


def report(directory):
    return json.loads((directory / "compare.json").read_text())


def test_json_and_csv_hold_every_iteration_of_every_algorithm(files, tmp_path):
    result = run(*judged(files), "-o", tmp_path / "new" / "out", *QUICK)
    assert result.exit_code == 0, result.output
    found = report(tmp_path / "new" / "out")
    assert found["version"] == 1
    assert found["references"] == [str(files[1]), str(files[2])]
    names = [entry["algorithm"] for entry in found["algorithms"]]
    assert names == ["ipa", "ip2", "iss2", "ip", "iss", "gradient"]
    with (tmp_path / "new" / "out" / "compare.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["algorithm", *COLUMNS]
    for entry in found["algorithms"]:
        assert entry["iteration"] == list(range(7))
        mine = [row for row in rows if row["algorithm"] == entry["algorithm"]]
        for column in COLUMNS:
            in_csv = [None if row[column] == "" else float(row[column]) for row in mine]
            assert in_csv == entry[column]
        assert None not in entry["si_sir"]


def test_the_table_has_a_line_for_each_algorithm_that_was_chosen(files, tmp_path):
    result = run(*judged(files), "-o", tmp_path, *QUICK, "-a", "ip", "-a", "ipa", "-a", "ip")
    lines = [line.split() for line in result.stdout.splitlines() if line.strip()]
    assert lines[0][0] == "algorithm"
    assert [line[0] for line in lines[2:]] == ["ipa", "ip"]
    assert "dB" in lines[2]
    assert "\x1b" not in result.stdout


def test_without_references_there_is_the_cost_alone(files, tmp_path):
    result = run(files[0], "-o", tmp_path, *QUICK, "-a", "ipa")
    assert result.exit_code == 0, result.output
    entry = report(tmp_path)["algorithms"][0]
    assert entry["si_sir"] == entry["si_sdr"] == [None] * 7
    assert np.all(np.diff(entry["cost"]) < 0)
    assert "SI-SIR" not in result.stdout


def test_a_step_size_that_is_too_big_is_told_with_the_iteration(files, tmp_path):
    result = run(files[0], "-o", tmp_path, *QUICK, "-a", "gradient", "--step-size", 9)
    assert result.exit_code == 0
    entry = report(tmp_path)["algorithms"][0]
    assert entry["step_size"] == 9
    assert entry["rose_at"] == entry["iteration"][-1] < 6
    said = f"gradient: the cost rose at iteration {entry['rose_at']}: the step size is too big"
    assert said in result.stderr
    assert f"rose at {entry['rose_at']}" in result.stdout


@pytest.mark.parametrize("with_references", [True, False])
def test_the_picture_is_a_png_of_a_readable_size(files, tmp_path, with_references):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib: install auxiva[plot]")
    arguments = judged(files) if with_references else files[:1]
    gradient = ("-a", "gradient", "--step-size", 9)
    result = run(*arguments, "-o", tmp_path, *QUICK, "-a", "ipa", *gradient)
    assert result.exit_code == 0, result.output
    content = (tmp_path / "compare.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert (width, height) == (1440, 750)


def test_without_matplotlib_the_picture_is_left_out_and_how_to_get_it_is_said(
    files, tmp_path, monkeypatch
):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    result = run(files[0], "-o", tmp_path / "out", *QUICK, "-a", "ipa")
    assert result.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "compare.csv",
        "compare.json",
    ]
    assert 'pip install "auxiva[plot]"' in result.stderr


def test_nothing_is_overwritten_without_force(files, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "compare.csv").write_text("mine")
    refused = run(files[0], "-o", out, *QUICK, "-a", "ipa")
    assert refused.exit_code == 1
    assert [path.name for path in out.iterdir()] == ["compare.csv"]
    assert (out / "compare.csv").read_text() == "mine"
    assert run(files[0], "-o", out, *QUICK, "-a", "ipa", "--force").exit_code == 0
    assert (out / "compare.csv").read_text() != "mine"


def test_a_live_race_leaves_nothing_on_standard_output_but_the_table(files, tmp_path):
    quiet = run(*judged(files), "-o", tmp_path / "a", *QUICK, "-a", "ip", "--progress", "none")
    shown = run(*judged(files), "-o", tmp_path / "b", *QUICK, "-a", "ip", "--progress", "rich")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.splitlines()[:2] == quiet.stdout.splitlines()[:2]
    assert len(shown.stdout.splitlines()) == len(quiet.stdout.splitlines())


@pytest.mark.parametrize(
    "arguments",
    [
        ("-a", "newton"),
        ("-a", "ipa", "--step-size", 0.1),
        ("-a", "gradient", "--step-size", 0),
        ("-n", 0),
        ("-s", 3),
        ("--model", "auto"),
    ],
)
def test_what_contradicts_itself_is_a_usage_error(files, tmp_path, arguments):
    assert run(files[0], "-o", tmp_path / "out", *arguments).exit_code == 2


def test_references_of_another_length_or_rate_are_refused(files, tmp_path):
    other = tmp_path / "other.wav"
    for samples, sample_rate, words in ((8000, 8000, "longer"), (24000, 16000, "16000 Hz")):
        soundfile.write(other, np.full(samples, 0.1), sample_rate)
        result = run(files[0], "--reference", other, "-o", tmp_path / "out")
        assert result.exit_code == 1
        assert words in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_recording_that_cannot_be_separated_is_named(files, tmp_path):
    result = run(files[1], "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "anna.wav: separation needs at least 2 channels" in result.stderr


def test_separate_takes_an_algorithm_and_says_when_its_step_size_is_too_big(files, tmp_path):
    def separate(*arguments):
        options = [*QUICK, "--model", "laplace", *arguments]
        return CliRunner().invoke(
            cli, ["separate", str(files[0]), "-o", str(tmp_path / "out"), "-f", *map(str, options)]
        )

    assert "cost-rose" not in separate("-a", "gradient").stderr
    result = separate("-a", "gradient", "--step-size", 9)
    assert result.exit_code == 0, result.output
    assert "cost-rose: the cost rose at iteration" in result.stderr
    assert "the step size is too big" in result.stderr
    assert separate("-a", "ip2", "--step-size", 9).exit_code == 2


def sounds(page):
    """Return the sound of each lane of a page."""
    found = re.findall(r'data-sound="data:audio/mpeg;base64,([^"]+)"', page.read_text())
    return [soundfile.read(io.BytesIO(base64.b64decode(content)))[0] for content in found]


def likeness(sound, reference):
    """Return the correlation of a sound at 16 kHz with a reference at half of that."""
    return abs(np.corrcoef(sound[::2][: len(reference)], reference)[0, 1])


def test_a_page_lets_one_speaker_be_heard_as_each_algorithm_has_separated_it(files, tmp_path):
    pytest.importorskip("jinja2", reason="pages need auxiva[report]")
    algorithms = ("-a", "ipa", "-a", "ip")
    late, early = tmp_path / "late", tmp_path / "early"
    for directory, seconds in ((late, 100), (early, 1e-9)):
        line = (*judged(files), "-o", directory, *QUICK, *algorithms)
        result = run(*line, "--report", "--report-at", seconds)
        assert result.exit_code == 0, result.output
    anna, _ = soundfile.read(files[1])
    mixture, ipa, ip = sounds(late / "compare.html")
    assert likeness(ipa, anna) > 0.95 > likeness(mixture, anna)
    # At the beginning nothing is separated, whatever the algorithm.
    same, ipa, ip = sounds(early / "compare.html")
    np.testing.assert_array_equal(same, mixture)
    np.testing.assert_array_equal(ipa, ip)
    assert likeness(ipa, anna) < 0.95
    assert "0 iterations" in (early / "compare.html").read_text()


def test_a_page_needs_no_references_and_has_the_speaker_of_the_best(files, tmp_path):
    pytest.importorskip("jinja2", reason="pages need auxiva[report]")
    gradient = ("-a", "gradient", "--step-size", 9)
    result = run(files[0], "-o", tmp_path, *QUICK, "-a", "ipa", "-a", "ip", *gradient, "--report")
    assert result.exit_code == 0, result.output
    assert len(sounds(tmp_path / "compare.html")) == 4
    text = (tmp_path / "compare.html").read_text()
    assert "SI-SIR" not in text
    assert "cost rose" in text


def test_a_page_is_asked_for_and_replaces_nothing(files, tmp_path):
    assert run(files[0], "-o", tmp_path, *QUICK, "--report-at", 1).exit_code == 2
    (tmp_path / "compare.html").write_text("mine")
    assert run(files[0], "-o", tmp_path, *QUICK, "-a", "ipa", "--report").exit_code == 1
    assert (tmp_path / "compare.html").read_text() == "mine"
