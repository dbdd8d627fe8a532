"""``auxiva separate`` between pipes: standard input and output, FIFOs, and ffmpeg on both ends."""

from __future__ import annotations

import io
import os
import pty
import shlex
import shutil
import struct
import subprocess
import threading

import numpy as np
import pytest
import soundfile
from command_line import (
    ENVIRONMENT,
    N_SAMPLES,
    command,
    contents,
    finish,
    mixture,
    records,
    separate,
    start,
)

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
PIPED = subprocess.PIPE


def streamed(wav):
    """Return a plain WAV file as programs write it that cannot seek back to its sizes."""
    return wav[:4] + b"\xff" * 4 + wav[8:40] + b"\xff" * 4 + wav[44:]


def as_64_bit(wav, magic):
    """Return a plain WAV file with its sizes in 64 bits."""
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, 28 + len(wav), len(wav) - 44, 0, 0)
    return magic + b"\xff" * 4 + b"WAVE" + sizes + wav[12:40] + b"\xff" * 4 + wav[44:]


@pytest.fixture
def talk(record):
    return record("talk.wav")


@pytest.fixture
def expected(talk, tmp_path):
    """What separating the file itself gives."""
    separate(talk, "-o", tmp_path / "expected")
    return contents(tmp_path / "expected")


@pytest.mark.parametrize(
    "variant",
    [
        lambda wav: wav,
        streamed,
        lambda wav: as_64_bit(wav, b"RF64"),
        lambda wav: as_64_bit(wav, b"BW64"),
    ],
    ids=["plain", "streamed", "RF64", "BW64"],
)
def test_standard_input_gives_what_the_file_gives(talk, expected, out, variant):
    process = start("-", "-o", out, "--stdin-name", "talk.wav", stdin=PIPED)
    code, stdout, stderr = finish(process, variant(talk.read_bytes()))
    assert (code, stdout) == (0, b""), stderr
    assert contents(out) == expected


def test_containers_that_must_seek_come_through_a_pipe_too(record, out, tmp_path):
    flac = record("talk.flac")
    process = start("-", "-o", out, "--stdin-name", "talk", stdin=PIPED)
    assert finish(process, flac.read_bytes())[0] == 0
    assert separate(flac, "-o", tmp_path / "expected").exit_code == 0
    assert contents(out) == contents(tmp_path / "expected")


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [
        (0, "input-empty: no data came through the pipe. Did the command before it fail?"),
        (44, "input-empty: the header is followed by 0 bytes of audio"),
        (
            -6,
            "input-truncated: the header promises 12000 samples per channel, the file holds 11998",
        ),
    ],
)
def test_what_a_pipe_does_not_bring_is_an_error(talk, out, n_bytes, words):
    process = start("-", "-o", out, stdin=PIPED)
    code, _, stderr = finish(process, talk.read_bytes()[:n_bytes])
    assert code == 1
    assert f"auxiva: error: -: {words}" in stderr
    assert contents(out) == {}


def test_closed_standard_input_is_told_from_an_empty_one(out):
    process = start("-", "-o", out, stdin=None, preexec_fn=lambda: os.close(0))
    code, _, stderr = finish(process)
    assert code == 1
    assert "-: input-closed: standard input is closed." in stderr


def test_a_terminal_is_no_recording_and_gets_none(talk, out):
    parent, terminal = pty.openpty()
    code, _, stderr = finish(start("-", "-o", out, stdin=terminal))
    assert (code, contents(out)) == (1, {})
    assert "input-closed: standard input is a terminal" in stderr
    code, _, stderr = finish(start(talk, "-o", "-", stdout=terminal))
    assert code == 2
    assert "standard output is a terminal" in stderr
    os.close(terminal)
    os.close(parent)


def test_a_fifo_gives_what_the_file_gives(talk, expected, out, tmp_path):
    fifo = tmp_path / "talk.fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(talk.read_bytes()))
    writer.start()
    result = separate(fifo, "-o", out)
    writer.join()
    assert result.exit_code == 0, result.stderr
    assert contents(out) == expected


def test_streams_are_read_by_this_process_however_many_jobs_there_are(record, talk, out):
    others = [record(f"{k}.wav", seed=k) for k in range(2)]
    process = start("-", *others, "-o", out, "-j", "2", stdin=PIPED)
    code, _, stderr = finish(process, talk.read_bytes())
    assert code == 0, stderr
    assert sorted(contents(out)) == [
        f"{stem}_src{n}.wav" for stem in ("0", "1", "stdin") for n in (1, 2)
    ]


def test_a_stream_is_skipped_if_its_outputs_are_there(talk, out):
    def run(*options):
        process = start("-", "-o", out, *options, stdin=PIPED)
        return finish(process, talk.read_bytes())

    assert run()[0] == 0
    (out / "stdin_src1.wav").unlink()
    code, _, stderr = run()
    assert code == 1
    assert "output-exists: " in stderr
    assert sorted(contents(out)) == ["stdin_src2.wav"]
    assert run("--skip-existing")[0] == 0
    before = {name: (out / name).stat() for name in contents(out)}
    code, _, stderr = run("--skip-existing")
    assert code == 0
    assert "skipped" in stderr
    assert {name: (out / name).stat() for name in contents(out)} == before


def test_a_name_that_looks_like_standard_input_can_be_a_file(talk, expected, out, tmp_path):
    (tmp_path / "-").write_bytes(talk.read_bytes())
    process = start("./-", "-o", "out", "--stem", "talk", cwd=tmp_path)
    assert finish(process)[0] == 0
    assert contents(out) == expected


def test_a_loop_over_the_lines_of_a_list_keeps_its_list(record, out, tmp_path):
    talks = [record(f"{k}.wav", seed=k) for k in range(3)]
    (tmp_path / "list").write_text("".join(f"{talk}\n" for talk in talks))
    each = shlex.join(command("-o", out)) + ' "$line"'
    loop = f'while read -r line; do {each} || exit 1; done < "{tmp_path}/list"'
    subprocess.run(["bash", "-c", loop], check=True, capture_output=True, env=ENVIRONMENT)
    assert len(contents(out)) == 6


def test_standard_output_is_one_wav_with_a_channel_per_source(talk, expected):
    code, stdout, _ = finish(start(talk, "-o", "-"))
    assert code == 0
    sources, _ = soundfile.read(io.BytesIO(stdout), dtype="int16")
    one_by_one = [
        soundfile.read(io.BytesIO(expected[f"talk_src{n}.wav"]), dtype="int16")[0] for n in (1, 2)
    ]
    np.testing.assert_array_equal(sources.T, one_by_one)

    code, stdout, _ = finish(start(talk, "-o", "-", "--pick", "2"))
    assert code == 0
    picked, _ = soundfile.read(io.BytesIO(stdout), dtype="int16")
    np.testing.assert_array_equal(picked, one_by_one[1])


def test_nothing_goes_to_standard_output_before_all_is_right(record):
    code, stdout, stderr = finish(start(record(waveform=0 * mixture()), "-o", "-"))
    assert (code, stdout) == (1, b"")
    assert "silent" in stderr


def close_stdout():
    os.close(1)


@pytest.mark.parametrize("options", [["-o", "-"], ["-o", "out", "--json"]], ids=["audio", "json"])
@pytest.mark.parametrize(
    ("device", "preexec", "words"),
    [
        (
            "/dev/full",
            None,
            "write-error: cannot write to standard output: No space left on device",
        ),
        (None, close_stdout, "write-error: cannot write to standard output: Bad file descriptor"),
    ],
    ids=["full", "closed"],
)
def test_standard_output_that_takes_nothing_is_an_error(
    talk, tmp_path, options, device, preexec, words
):
    stdout = os.open(device, os.O_WRONLY) if device else None
    process = start(talk, *options, stdout=stdout, preexec_fn=preexec, cwd=tmp_path)  # fmt: skip
    code, _, stderr = finish(process)
    assert code == 1
    assert words in stderr
    assert "Traceback" not in stderr
    assert "Exception ignored" not in stderr


def test_a_reader_of_audio_that_goes_away_is_an_error(talk):
    reader, writer = os.pipe()
    os.close(reader)
    code, _, stderr = finish(start(talk, "-o", "-", stdout=writer))
    os.close(writer)
    assert code == 1
    assert "output-closed: the reader of standard output went away after 0 bytes" in stderr


def test_a_reader_of_json_that_goes_away_leaves_whole_outputs(record, out):
    talks = [record(f"{k}.wav", seed=k) for k in range(2)]
    reader, writer = os.pipe()
    os.close(reader)
    code, _, stderr = finish(start(*talks, "-o", out, "--json", stdout=writer))
    os.close(writer)
    assert code == 1
    assert "auxiva: error: output-closed: the reader of standard output went away." in stderr
    assert "Exception ignored" not in stderr
    assert sorted(contents(out)) == ["0_src1.wav", "0_src2.wav"]


def close_stderr():
    os.close(2)


@pytest.mark.parametrize("deafen", ["full", "closed", "gone"])
def test_work_goes_on_when_nobody_can_be_told(talk, expected, out, deafen):
    reader, writer = os.pipe()
    os.close(reader)
    stderr = {"full": os.open("/dev/full", os.O_WRONLY), "closed": None, "gone": writer}[deafen]
    preexec = close_stderr if deafen == "closed" else None
    code, stdout, _ = finish(start(talk, "-o", out, "--json", stderr=stderr, preexec_fn=preexec))
    os.close(writer)
    assert code == 0
    assert records(stdout)[str(talk)]["status"] == "separated"
    assert contents(out) == expected


@needs_ffmpeg
def test_ffmpeg_may_stand_on_both_ends(talk, expected, tmp_path):
    """A pipeline as in the shell: decode, separate, encode; every sample comes through."""
    decode = ["ffmpeg", "-v", "error", "-i", str(talk), "-f", "wav", "-"]
    encode = ["ffmpeg", "-v", "error", "-i", "-", "-c:a", "flac", str(tmp_path / "sources.flac")]
    pipeline = " | ".join(map(shlex.join, (decode, command("-", "-o", "-"), encode)))
    shell = ["bash", "-o", "pipefail", "-c", pipeline]
    done = subprocess.run(shell, capture_output=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    sources, _ = soundfile.read(tmp_path / "sources.flac", dtype="int16")
    assert sources.shape == (N_SAMPLES, 2)
    first, _ = soundfile.read(io.BytesIO(expected["talk_src1.wav"]), dtype="int16")
    np.testing.assert_array_equal(sources[:, 0], first)


@needs_ffmpeg
@pytest.mark.parametrize("options", [["-rf64", "always"], ["-c:a", "pcm_f32le"]])
def test_what_ffmpeg_streams_is_read_to_its_end(talk, out, options):
    decode = ["ffmpeg", "-v", "error", "-i", str(talk), *options, "-f", "wav", "-"]
    ffmpeg = subprocess.Popen(decode, stdout=PIPED)
    code, stdout, _ = finish(start("-", "-o", out, "--json", stdin=ffmpeg.stdout))
    ffmpeg.stdout.close()
    assert (ffmpeg.wait(), code) == (0, 0)
    outcome = records(stdout)["-"]
    assert outcome["samples"] == N_SAMPLES
    assert [warning["class"] for warning in outcome["warnings"]] == ["short"]


@needs_ffmpeg
def test_an_ffmpeg_that_fails_leaves_an_error(tmp_path, out):
    ffmpeg = subprocess.Popen(
        ["ffmpeg", "-v", "quiet", "-i", str(tmp_path / "none.mkv"), "-f", "wav", "-"], stdout=PIPED
    )
    code, _, stderr = finish(start("-", "-o", out, stdin=ffmpeg.stdout))
    ffmpeg.stdout.close()
    assert (ffmpeg.wait() != 0, code) == (True, 1)
    assert "pipefail" in stderr
