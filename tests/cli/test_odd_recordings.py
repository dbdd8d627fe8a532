"""``auxiva separate`` on recordings that are odd in name, container or content."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import N_SAMPLES, contents, finish, heard, mixture, records, separate, start

HOSTILE_NAMES = [
    "a b", "two\nlines", "tab\t", "-dash", "caf\xe9", "[bold]x[/bold]", "[/]", ":warning:", "%s{n}",
    "\x1b]0;title\x07\x1b[31mred", "\u202egpj.exe", "line\u2028separator", "x" * 246, "..", "'\"\\",
]  # fmt: skip


@pytest.mark.parametrize("progress", ["none", "rich", "tqdm"])
def test_names_are_taken_as_they_are_and_shown_on_one_line(record, out, progress):
    names = [record(f"{stem}.wav", n_samples=3000) for stem in HOSTILE_NAMES]
    result = separate("-o", out, "--json", "--progress", progress, "--", *names)
    assert result.exit_code == 0, result.stderr
    assert sorted(contents(out)) == sorted(
        f"{name.stem}_src{n}.wav" for name in names for n in (1, 2)
    )
    assert set(records(result.stdout)) == {str(name) for name in names}
    for unsafe in ("\x1b]", "\x1b[31m", "\u202e", "\u2028", "\x07", "two\nlines"):
        assert unsafe not in result.stderr
    if progress == "none":
        assert result.stderr.count("\n") == 2 * len(names) + 1  # a remark and a line for each


def test_a_name_in_no_encoding_comes_back_from_json(record, out):
    talk = record(os.fsdecode(b"\xff\xfe.wav"))
    result = separate(talk, "-o", out, "--json")
    assert result.exit_code == 0, result.stderr
    outputs = [Path(name) for name in json.loads(result.stdout)["outputs"]]
    assert [os.fsencode(path.name) for path in outputs] == [
        b"\xff\xfe_src1.wav", b"\xff\xfe_src2.wav",
    ]  # fmt: skip
    assert all(map(Path.exists, outputs))


def test_names_may_begin_with_a_dash(record, out, tmp_path):
    record("-x.wav")
    code, _, stderr = finish(start("-o", out, "-x.wav", cwd=tmp_path))
    assert code == 2
    assert "A file whose name begins with a dash is written ./-name." in stderr
    assert finish(start("-o", out, "./-x.wav", cwd=tmp_path))[0] == 0


def noise(n_chan=2):
    return 0.1 * np.random.default_rng(7).standard_normal((n_chan, N_SAMPLES))


def with_sample(value):
    waveform = mixture()
    waveform[1, 5000] = value
    return waveform


def with_channel(channel):
    waveform = mixture(3)
    waveform[2] = channel(waveform)
    return waveform


IMPULSE = np.zeros((2, N_SAMPLES))
IMPULSE[0, 7] = 0.5
MEANINGLESS = {
    "one channel": (mixture(1), "too-few-channels", "has 1"),
    "silence": (0 * mixture(), "silent", "all 2 channels"),
    "constant": (0 * mixture() + 0.25, "silent", "all 2 channels"),
    "NaN": (with_sample(np.nan), "input-nonfinite", "1 sample is NaN .* channel 2 at 0.625 s"),
    "infinite": (with_sample(np.inf), "input-nonfinite", "channel 2 at 0.625 s"),
    "one frame": (mixture()[:, :100], "too-short", "4 frames .* it takes 8"),
    "one sample": (mixture()[:, :1], "silent|too-short", ""),
    "copies": (np.array([mixture()[0]] * 2), "channels-dependent", "channels 1 and 2 are copies"),
    "one live channel": (IMPULSE, "channels-dependent|silent|too-few", ""),
}


@pytest.mark.parametrize("name", MEANINGLESS)
def test_what_cannot_be_separated_is_an_error_with_its_class(record, out, name):
    waveform, kinds, words = MEANINGLESS[name]
    talk = record(waveform=waveform, subtype="FLOAT")
    result = separate(talk, "-o", out, "--json")
    error = json.loads(result.stdout)["error"]
    assert result.exit_code == 1
    assert error["class"] in kinds.split("|")
    assert np.all([part in error["what"] for part in words.split(" .* ")]), error["what"]
    assert error["hint"].endswith(".")
    assert result.stderr == f"auxiva: error: {talk}: {error['class']}: {error['what']}" + (
        f". {error['hint']}\n"
    )
    assert contents(out) == {}


ODD = {
    "dead channel": (with_channel(lambda x: 0), "channel-dead", 2),
    "constant channel": (with_channel(lambda x: 0.25), "channel-dead", 2),
    "copied channel": (with_channel(lambda x: x[0]), "channels-dependent", 2),
    "inverted channel": (with_channel(lambda x: -0.5 * x[1]), "channels-dependent", 2),
    "sum of channels": (with_channel(lambda x: x[0] + x[1]), "channels-dependent", 2),
    "weak channel": (with_channel(lambda x: 1e-5 * x[2]), "channels-uneven", 3),
    "offset": (mixture() + 0.5, "dc-offset", 2),
    "clipped": (np.clip(8 * mixture(), -0.5, 0.5), "clipped", 2),
    "above full scale": (20 * mixture(), "level-high", 2),
    "short": (mixture()[:, :2000], "short", 2),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_separated_with_a_warning(record, out, name):
    waveform, kind, n_src = ODD[name]
    result = separate(record(waveform=waveform, subtype="FLOAT"), "-o", out, "--json")
    assert result.exit_code == 0, result.stderr
    outcome = json.loads(result.stdout)
    assert kind in [warning["class"] for warning in outcome["warnings"]]
    assert f"auxiva: warning: {outcome['input']}: {kind}: " in result.stderr
    assert len(outcome["outputs"]) == n_src
    sources = heard(out, "talk", n_src)
    assert np.isfinite(sources).all()
    np.testing.assert_allclose(sources.sum(axis=0), waveform[0], atol=1e-5 * np.abs(waveform).max())


def band_limited():
    spectrum = np.fft.rfft(mixture())
    spectrum[:, 1 + N_SAMPLES // 4 :] = 0
    return np.fft.irfft(spectrum)


def padded(share):
    waveform = mixture()
    waveform[:, : int(share * N_SAMPLES)] = 0
    return waveform


@pytest.mark.parametrize(
    "waveform", [band_limited(), padded(0.4), padded(0.6), np.sign(noise()) / 2**15, noise(8)],
    ids=["band-limited", "silent start", "mostly silent", "one bit", "eight channels"],
)  # fmt: skip
def test_what_is_hard_is_separated_without_ado(record, out, waveform):
    result = separate(record(waveform=waveform, subtype="FLOAT"), "-o", out)
    assert result.exit_code == 0, result.stderr
    sources = heard(out, "talk", len(waveform))
    np.testing.assert_allclose(sources.sum(axis=0), waveform[0], atol=1e-5 * np.abs(waveform).max())


@pytest.mark.parametrize("gain", [10.0 ** (level / 20) for level in range(-120, 121, 40)])
def test_outputs_scale_with_the_recording_and_keep_their_order(record, tmp_path, gain):
    separate(record("one.wav", mixture(), subtype="DOUBLE"), "-o", tmp_path)
    separate(record("many.wav", gain * mixture(), subtype="DOUBLE"), "-o", tmp_path)
    expected = heard(tmp_path, "one")
    np.testing.assert_allclose(heard(tmp_path, "many") / gain, expected, rtol=0, atol=1e-4)


def test_nonfinite_samples_can_be_taken_as_zero(record, out):
    talk = record(waveform=with_sample(np.nan), subtype="FLOAT")
    result = separate(talk, "-o", out, "--nonfinite", "zero", "--json")
    assert result.exit_code == 0
    warning, short = json.loads(result.stdout)["warnings"]
    assert [warning["class"], short["class"]] == ["nonfinite-zeroed", "short"]
    assert "1 NaN or infinite samples are taken as zero" in warning["what"]
    np.testing.assert_allclose(heard(out, "talk").sum(axis=0), mixture()[0], atol=1e-5)


def test_a_truncated_recording_is_separated_if_that_is_allowed(record, out):
    talk = record()
    talk.write_bytes(talk.read_bytes()[: 44 + 4 * 9000 + 1])
    assert separate(talk, "-o", out).exit_code == 1
    result = separate(talk, "-o", out, "--allow-truncated")
    assert result.exit_code == 0
    assert "warning: " in result.stderr
    assert "input-truncated: the header promises 12000 samples" in result.stderr
    assert soundfile.info(out / "talk_src1.wav").frames == 9000


def test_a_recording_longer_than_is_allowed_is_refused(record, out):
    talk = record()
    for arguments in ([talk], ["--array", talk, talk]):
        result = separate(*arguments, "-o", out, "--max-duration", "0:01")
        assert result.exit_code == 1
        assert "resource-limit: " in result.stderr
        assert "it lasts 1.5 s, 1 s are allowed" in result.stderr
    assert separate(talk, "-o", out, "--max-duration", "1.5").exit_code == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [("/dev/null", "it is a device"), ("/dev/zero", "it is a device")],
)
def test_devices_are_no_recordings(out, name, words):
    result = separate(name, "-o", out)
    assert result.exit_code == 1
    assert f"not-audio: {words}" in result.stderr


ODD_SAMPLES = {
    "both infinities": mixture() * [[1], [1]],
    "a channel 800 dB below": mixture() * [[1], [1e-40]],
    "channels 900 dB apart, far above full scale": mixture() * [[1e20], [1e-25]],
    "near the end of single precision": mixture() * 9e37,
    "near the end of what can be squared": mixture() * 1e149,
    "denormal": mixture() * 1e-44,
    "a spike": mixture() * [[1], [1]],
}
ODD_SAMPLES["both infinities"][0, 100:102] = np.inf, -np.inf
ODD_SAMPLES["a spike"][:, 8000] = 1e30


@pytest.mark.parametrize("name", ODD_SAMPLES)
def test_no_samples_get_a_word_out_of_numpy(record, out, name):
    talk = record(waveform=ODD_SAMPLES[name], subtype="DOUBLE")
    exit_code, _, stderr = finish(start(talk, "-o", out, env={"PYTHONWARNINGS": "error"}))
    assert "internal" not in stderr
    assert "Warning" not in stderr
    if exit_code == 0:
        separated = heard(out, "talk").sum(axis=0)
        reference = ODD_SAMPLES[name][0]
        assert np.abs(separated - reference).max() <= 1e-5 * np.abs(reference).max()
