"""``auxiva separate``: what is written for one recording."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np
import pytest
import soundfile
from command_line import N_SAMPLES, SAMPLE_RATE, contents, heard, mixture, separate
from field_recordings import RATE, room

from auxiva_cli.cli.wording import speakers
from auxiva_cli.listening.counting import Count


def test_outputs_sum_to_the_reference_microphone(record, out):
    result = separate(record(subtype="FLOAT"), "-o", out)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert sorted(contents(out)) == ["talk_src1.wav", "talk_src2.wav"]
    np.testing.assert_allclose(heard(out, "talk").sum(axis=0), mixture()[0], atol=1e-6)


def test_the_reference_microphone_can_be_chosen(record, out):
    assert separate(record(subtype="FLOAT"), "-o", out, "--ref-channel", 2).exit_code == 0
    np.testing.assert_allclose(heard(out, "talk").sum(axis=0), mixture()[1], atol=1e-6)


def test_the_strongest_source_comes_first(record, out):
    separate(record(n_chan=3), "-o", out)
    energy = np.sum(heard(out, "talk", 3) ** 2, axis=1)
    assert list(energy) == sorted(energy, reverse=True)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_sample_format_rate_and_length_are_kept(record, out, subtype):
    assert separate(record(subtype=subtype, rate=11_025), "-o", out).exit_code == 0
    info = soundfile.info(out / "talk_src2.wav")
    assert (info.subtype, info.samplerate, info.frames, info.channels) == (
        subtype, 11_025, N_SAMPLES, 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("container", "subtype", "expected"),
    [("flac", "PCM_16", "PCM_16"), ("flac", "FLOAT", "PCM_24"), ("wav", "PCM_U8", "PCM_16")],
)
def test_what_a_container_lacks_becomes_the_nearest_format(
    record, out, container, subtype, expected
):
    assert separate(record(subtype=subtype), "-o", out, "--format", container).exit_code == 0
    assert soundfile.info(out / f"talk_src1.{container}").subtype == expected


def test_all_channels_sum_to_every_microphone(record, out):
    assert separate(record(subtype="FLOAT"), "-o", out, "--all-channels").exit_code == 0
    np.testing.assert_allclose(heard(out, "talk").sum(axis=0).T, mixture(), atol=1e-6)


def test_a_picked_source_is_the_same_file_as_among_all(record, out, tmp_path):
    talk = record()
    separate(talk, "-o", out)
    separate(talk, "-o", tmp_path / "one", "--pick", 2)
    assert contents(tmp_path / "one") == {"talk_src2.wav": (out / "talk_src2.wav").read_bytes()}


def test_integers_that_would_clip_are_lowered_together_and_it_is_said(record, out):
    loud = 3 * mixture() / np.abs(mixture()).max()
    result = separate(record(waveform=loud, subtype="FLOAT"), "-o", out, "--subtype", "pcm_16",
                      "--json")  # fmt: skip
    outcome = json.loads(result.stdout)
    assert "gain-applied" in [warning["class"] for warning in outcome["warnings"]]
    assert np.abs(heard(out, "talk")).max() == 1 - 2**-15
    np.testing.assert_allclose(
        heard(out, "talk").sum(axis=0), outcome["gain"] * loud[0], atol=2**-15
    )


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_equal_recordings_give_equal_bytes_for_any_number_of_jobs_and_threads(
    record, tmp_path, subtype
):
    names = [record(f"{k}.wav", subtype=subtype, n_chan=3) for k in range(3)]
    runs = []
    for jobs, threads in ((1, 1), (1, 3), (2, 1)):
        out = tmp_path / f"{jobs}-{threads}"
        assert separate(*names, "-o", out, "-j", jobs, "--threads", threads).exit_code == 0
        runs += [[contents(out)[f"{name.stem}_src{n}.wav"] for n in (1, 2, 3)] for name in names]
    assert all(run == runs[0] for run in runs)


def test_microphones_in_files_of_their_own_are_one_recording(record, out, tmp_path):
    whole = record("mic.wav")
    parts = [record(f"mic{c + 1}.wav", mixture()[c : c + 1]) for c in range(2)]
    assert separate("--array", *parts, "-o", out).exit_code == 0
    assert separate(whole, "-o", tmp_path / "whole").exit_code == 0
    assert contents(out) == contents(tmp_path / "whole")


def test_files_of_several_channels_are_groups_of_microphones(record, out, tmp_path):
    whole = record("mic.wav", mixture(3))
    parts = [record("mic1.wav", mixture(3)[:2]), record("mic2.wav", mixture(3)[2:])]
    result = separate("--array", *parts, "-o", out, "--json")
    assert result.exit_code == 0, result.stderr
    assert separate(whole, "-o", tmp_path / "whole").exit_code == 0
    assert contents(out) == contents(tmp_path / "whole")
    digests = [hashlib.sha256(contents(out)[f"mic_src{n}.wav"]).hexdigest() for n in (1, 2, 3)]
    assert json.loads(result.stdout)["sha256"] == digests


def test_an_array_can_be_given_its_name(record, out):
    parts = [record(f"{side}.wav", mixture()[c : c + 1]) for c, side in enumerate(("l", "r"))]
    separate("--array", *parts, "-o", out)
    separate("--array", *parts, "-o", out, "--stem", "table")
    assert {name.rsplit("_", 1)[0] for name in contents(out)} == {"array", "table"}


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"rate": 16_000}, "8000 Hz"),
        ({"n_samples": N_SAMPLES + SAMPLE_RATE}, "1.000 s apart, 0.1 s are allowed"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(record, out, second, words):
    parts = [record("mic1.wav", n_chan=1), record("mic2.wav", **{"n_chan": 1, **second})]
    result = separate("--array", *parts, "-o", out)
    assert result.exit_code == 1
    assert "array-mismatch" in result.stderr
    assert words in result.stderr
    assert contents(out) == {}


def test_json_tells_all_about_a_recording(record, out):
    talk = record()
    result = separate(talk, "-o", out, "--json", "--tol", 0)
    outcome = json.loads(result.stdout)
    assert outcome["schema_version"] == 1
    assert outcome["input"] == os.fspath(talk)
    assert outcome["outputs"] == [os.fspath(out / f"talk_src{n}.wav") for n in (1, 2)]
    assert (outcome["status"], outcome["error"]) == ("separated", None)
    assert (outcome["sample_rate"], outcome["samples"]) == (SAMPLE_RATE, N_SAMPLES)
    assert outcome["iterations"] == outcome["settings"]["max_iter"] == 5
    assert outcome["cost"] == outcome["stages"][-1]["costs"][-1]
    assert outcome["real_time_factor"] == pytest.approx(
        outcome["seconds"] * SAMPLE_RATE / N_SAMPLES, abs=1e-3
    )


def test_a_dry_run_says_what_would_be_written_and_touches_nothing(record, out):
    talk = record()
    result = separate(talk, "-o", out, "--dry-run")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{talk}  would write {out}/talk_src{{1..2}}.wav\n"
    assert not out.exists()


def test_a_dry_run_says_which_outputs_exist(record, out):
    talk = record()
    separate(talk, "-o", out)
    before = contents(out)
    shown = separate(talk, "-o", out, "--dry-run")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout.endswith("/talk_src{1..2}.wav, which exist already\n")
    (out / "talk_src1.wav").unlink()
    shown = separate(talk, "-o", out, "--dry-run", "--skip-existing")
    assert shown.stdout.endswith("/talk_src{1..2}.wav, 1 of which exists already\n")
    (out / "talk_src1.wav").write_bytes(before["talk_src1.wav"])
    shown = separate(talk, "-o", out, "--dry-run", "--skip-existing")
    assert shown.stdout == f"{talk}  skipped: its outputs are there\n"
    assert contents(out) == before


def test_quiet_is_silent(record, out):
    result = separate(record(), "-o", out, "--quiet")
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize(
    "options",
    [
        ["--sources", "3"],
        ["--pick", "3"],
        ["--ref-channel", "3"],
        ["--n-fft", "511"],
        ["--n-fft", "512", "--hop", "300"],
        ["--format", "flac", "--subtype", "FLOAT"],
        ["--force", "--skip-existing"],
        ["-0"],
        ["--name-template", "../{n}"],
        ["--name-template", "/{n}"],
        ["--name-template", "{stem.__class__}{n}"],
        ["--name-template", "{n:>9999999}"],
        ["--name-template", "{stem}.wav"],
        ["--name-template", ""],
        ["--stem", "../up"],
        ["--stem", "x" * 250],
        ["--no-such-option"],
        ["--jobs", "0"],
    ],
)
def test_a_wrong_command_line_is_one_line_and_nothing_is_touched(record, out, options):
    result = separate(record(), "-o", out, *options)
    assert result.exit_code == 2
    assert result.stderr.startswith("auxiva: error: bad-parameter: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert not out.exists()


@pytest.mark.parametrize(("option", "n_files"), [("auto", 3), ("all", 4), ("2", 2)])
def test_as_many_files_as_were_asked_for_or_counted(tmp_path, out, option, n_files):
    talk = tmp_path / "talk.wav"
    soundfile.write(talk, room(44, 4, n_src=3).T, RATE)
    options = [] if option == "auto" else ["-s", option]
    result = separate(talk, "-o", out, *options, "--json")
    shown = json.loads(result.stdout)
    assert len(contents(out)) == len(shown["outputs"]) == n_files == shown["settings"]["n_src"]
    if option == "auto":
        assert shown["count"]["n"] == n_files
        assert shown["count"]["sure"]
        assert f"{n_files} speakers (sure)  " in result.stderr
    else:
        assert shown["count"] is None
        assert f"{n_files} {'outputs' if option == 'all' else 'speakers'}  " in result.stderr
    again = json.loads(separate(talk, "-o", out, *options, "--json", "--skip-existing").stdout)
    assert (again["status"], again["outputs"]) == ("skipped", shown["outputs"])


def test_what_is_too_short_to_count_is_as_many_files_as_microphones(record, out):
    result = separate(record(n_chan=3), "-o", out, "--json")
    assert json.loads(result.stdout)["count"] is None
    assert len(contents(out)) == 3
    assert "  3 outputs  " in result.stderr


def test_a_number_of_speakers_is_a_number_or_one_of_two_words(record, out):
    result = separate(record(), "-o", out, "-s", "many")
    assert result.exit_code == 2
    assert "write 2, auto or all" in result.stderr


def test_the_line_says_how_sure_the_count_is(tmp_path, out):
    talk = tmp_path / "talk.wav"
    soundfile.write(talk, room(50, 3, n_src=2).T, RATE)
    result = separate(talk, "-o", out, "--json")
    told = json.loads(result.stdout)["count"]
    count = Count(told["n"], tuple(told["probabilities"]))
    assert f"  {speakers(count.n_src, count)}  " in result.stderr
    assert (told["sure"], told["other"]) == (count.sure, count.other)
    assert len(contents(out)) == count.n_src
    if not told["sure"]:
        again = separate(talk, "-o", out / "again", *told["ask"].split())
        assert f"  {told['other']} speakers  " in again.stderr
