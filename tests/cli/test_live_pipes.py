"""``auxiva apply FILTERS - -o -``: sound passed on while it comes in."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from command_line import ENVIRONMENT, SAMPLE_RATE, finish, mixture, separate

from auxiva_cli.audio.wav import wav_header
from auxiva_cli.cli.main import cli

N_FFT, HOP = 512, 128
HEADER = len(wav_header(None, 2, SAMPLE_RATE, "FLOAT"))


@pytest.fixture
def filters(record, tmp_path):
    """Return filters of two speakers."""
    path = tmp_path / "seats.npz"
    separate(record("learn.wav"), "-o", tmp_path / "learnt", "--save-filters", path)
    return path


def apply(filters, *options, **streams):
    """Start ``auxiva apply FILTERS - -o -``."""
    command = [sys.executable, "-m", "auxiva_cli", "apply", filters, "-", "-o", "-", *options]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(map(str, command), env=ENVIRONMENT, bufsize=0, **pipes | streams)


def head(subtype="PCM_16", n_samples=None):
    return wav_header(n_samples, 2, SAMPLE_RATE, subtype)


def as_wav(waveform, n_samples=None):
    """Return a stream of 16 bit."""
    return head(n_samples=n_samples) + np.rint(waveform.T * 2**15).astype("<i2").tobytes()


def sources(stdout):
    """Return the samples of a float stream, (n_src, n_samples)."""
    return np.frombuffer(stdout[HEADER:], "<f4").reshape(-1, 2).T


def read(stream, n_bytes):
    """Read so many bytes: a stream that is silent blocks, and fails by the test's time-out."""
    content = b""
    while len(content) < n_bytes and (piece := os.read(stream.fileno(), n_bytes - len(content))):
        content += piece
    assert len(content) == n_bytes
    return content


def test_each_sample_comes_out_when_a_window_and_a_hop_are_in(filters):
    process = apply(filters)
    process.stdin.write(head())
    read(process.stdout, HEADER)  # before a single sample is in
    samples = mixture(n_samples=40 * HOP)
    content = as_wav(samples)[len(head()) :]
    n_out, frame = 0, 4
    for n_in in range(HOP, 40 * HOP + 1, HOP):
        process.stdin.write(content[(n_in - HOP) * frame : n_in * frame])
        n_due = max(n_in - N_FFT, 0)
        read(process.stdout, (n_due - n_out) * 8)  # which would block if it were not there
        n_out = n_due
    code, rest, _ = finish(process)
    assert code == 0
    assert len(rest) == (40 * HOP - n_out) * 8


def test_at_the_pace_of_a_microphone_the_delay_is_a_window_and_a_hop_at_most(record, tmp_path):
    rate, n_fft, seconds = 16_000, 8192, 3
    learn = record("long.wav", mixture(n_samples=6 * rate), rate=rate)
    path = tmp_path / "seats.npz"
    separate(learn, "-o", tmp_path / "l", "--save-filters", path, "--n-fft", n_fft, "-s", "all")
    process = apply(path)
    process.stdin.write(wav_header(None, 2, rate, "PCM_16"))
    read(process.stdout, HEADER)
    os.set_blocking(process.stdout.fileno(), False)
    piece = np.rint(mixture(n_samples=rate // 50).T * 2**14).astype("<i2").tobytes()  # 20 ms
    begin, n_out, latest = time.monotonic(), 0, 0.0
    for n in range(1, 50 * seconds + 1):
        time.sleep(max(0.0, begin + n / 50 - time.monotonic()))  # the pace, not a synchronisation
        try:
            process.stdin.write(piece)
        except BrokenPipeError:
            raise AssertionError(process.stderr.read()) from None
        while came := process.stdout.read(2**16):
            n_out += len(came) // 8
        latest = max(latest, time.monotonic() - begin - n_out / rate)
    os.set_blocking(process.stdout.fileno(), True)
    assert finish(process)[0] == 0
    assert latest <= 1.25 * n_fft / rate


@pytest.mark.parametrize("n_samples", [None, 12_000], ids=["streamed", "sized"])
def test_what_comes_out_is_what_apply_gives_of_the_file(record, filters, tmp_path, n_samples):
    talk = record("talk.wav", seed=3)
    code, stdout, stderr = finish(apply(filters), as_wav(soundfile.read(talk)[0].T, n_samples))
    assert code == 0, stderr
    options = ["-o", str(tmp_path / "out"), "--subtype", "float"]
    assert CliRunner().invoke(cli, ["apply", str(filters), str(talk), *options]).exit_code == 0
    expected = [soundfile.read(tmp_path / f"out/talk_src{n}.wav")[0] for n in (1, 2)]
    np.testing.assert_allclose(sources(stdout), expected, atol=1e-6)
    if n_samples:
        assert stdout[:HEADER] == wav_header(n_samples, 2, SAMPLE_RATE, "FLOAT")
        read_back, rate = soundfile.read(io.BytesIO(stdout))
        assert (read_back.shape, rate) == ((12_000, 2), SAMPLE_RATE)


def test_memory_does_not_grow_with_what_came(filters):
    """A minute and ten of them need the same."""
    peaks = []
    for minutes in (1, 10):
        process = apply(filters, stdout=subprocess.DEVNULL)
        second = as_wav(mixture(n_samples=SAMPLE_RATE))[len(head()) :]
        process.stdin.write(head())
        for _ in range(60 * minutes):
            process.stdin.write(second)
        process.stdin.close()
        process.stdin = None
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stderr.close()
        assert process.returncode == 0
        peaks.append(usage.ru_maxrss)
    assert peaks[1] < peaks[0] + 4096  # KiB


@pytest.mark.parametrize("cut", [6, 1001])
def test_a_stream_that_breaks_off_is_an_error_after_what_came_was_passed_on(filters, cut):
    content = as_wav(mixture(), n_samples=12_000)[:-cut]
    code, stdout, stderr = finish(apply(filters), content)
    assert code == 1
    assert "auxiva: error: -: input-truncated: the stream ended after " in stderr
    assert len(stdout) > HEADER


def test_integers_are_clipped_counted_and_warned_of(filters):
    loud = np.clip(40 * mixture(), -0.999, 0.999)
    code, stdout, stderr = finish(apply(filters, "--subtype", "pcm_16"), as_wav(loud))
    assert code == 0
    values = np.frombuffer(stdout[44:], "<i2")
    assert "output-clipped: " in stderr
    n_clipped = int(stderr.split("output-clipped: ")[1].split()[0])
    assert 0 < n_clipped <= np.count_nonzero(np.isin(values, (-(2**15), 2**15 - 1)))


def test_nan_ends_the_stream_unless_zeros_are_asked_for(filters):
    samples = mixture().astype("<f4")
    samples[1, 8000] = np.nan
    content = head("FLOAT") + samples.T.tobytes()
    code, _, stderr = finish(apply(filters), content)
    assert code == 1
    assert "input-nonfinite: a sample is NaN, infinite or beyond any scale, at 1.000 s" in stderr
    code, stdout, stderr = finish(apply(filters, "--nonfinite", "zero"), content)
    assert code == 0
    assert "nonfinite-zeroed: 1 NaN or infinite samples are taken as zero" in stderr
    assert np.isfinite(sources(stdout)).all()


def test_it_ends_after_the_longest_duration(filters):
    process = apply(filters, "--max-duration", "0.5")
    process.stdin.write(as_wav(mixture()))
    assert process.wait(timeout=60) == 0  # though the pipe is open
    assert sources(finish(process)[1]).shape == (2, SAMPLE_RATE // 2)


def test_one_source_of_every_microphone_can_be_passed_on(filters):
    code, stdout, _ = finish(apply(filters, "--pick", "2", "--all-channels"), as_wav(mixture()))
    assert code == 0
    assert sources(stdout).shape == (2, 12_000)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "input-empty: no data came"), (head(), "input-empty: a header without any sound"),
     (b"<html>" + bytes(100), "not-audio: "), (b"RIFF\xff\xff\xff\xffWAVE", "malformed: "),
     (wav_header(None, 3, SAMPLE_RATE, "PCM_16") + bytes(600), "bad-filters: "),
     (b"RIFF\xff\xff\xff\xffWAVE" + struct.pack("<4sI", b"JUNK", 2**31), "malformed: ")],
    ids=["nothing", "header", "page", "stump", "channels", "junk"],
)  # fmt: skip
def test_what_cannot_be_separated_is_an_error(filters, content, words):
    code, _, stderr = finish(apply(filters), content)
    assert code == 1
    assert f"auxiva: error: -: {words}" in stderr
    assert stderr.count("\n") == 1


def test_what_is_no_wav_is_separated_at_its_end(record, filters):
    flac = record("talk.flac").read_bytes()
    code, stdout, stderr = finish(apply(filters), flac)
    assert code == 0, stderr
    assert soundfile.read(io.BytesIO(stdout))[0].shape == (12_000, 2)


def test_a_reader_that_goes_away_is_an_error(filters):
    reader, writer = os.pipe()
    os.close(reader)
    code, _, stderr = finish(apply(filters, stdout=writer), as_wav(mixture()))
    os.close(writer)
    assert code == 1
    assert "output-closed: the reader of standard output went away after " in stderr
