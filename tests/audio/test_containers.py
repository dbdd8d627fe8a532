"""Everything that libsndfile decodes: true lengths, exact random access, no silent loss."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auxiva_cli.audio import open_recording
from auxiva_cli.errors import RecordingError

RATE = 16_000
N_SAMPLES = 30_011
LOSSLESS = ["FLAC PCM_16", "FLAC PCM_24", "AIFF PCM_16", "AIFF FLOAT", "AU PCM_24", "CAF PCM_16",
            "CAF ALAC_16", "W64 PCM_32", "W64 DOUBLE", "NIST PCM_16"]  # fmt: skip
LOSSY = ["OGG VORBIS", "OGG OPUS", "MP3 MPEG_LAYER_III", "WAV IMA_ADPCM", "WAV MS_ADPCM"]


def write(path: Path, what: str) -> tuple[Path, np.ndarray]:
    """Encode noise with libsndfile; return it as it is when the encoder loses nothing."""
    container, subtype = what.split()
    bits = {"PCM_24": 24, "PCM_32": 32}.get(subtype, 16)
    values = np.random.default_rng(3).integers(-(2 ** (bits - 2)), 2 ** (bits - 2), (N_SAMPLES, 2))
    samples = values / 2.0 ** (bits - 1)
    with soundfile.SoundFile(path, "w", RATE, 2, subtype, format=container) as file:
        is_integer = subtype.startswith(("PCM", "ALAC"))
        file.write((values << (32 - bits)).astype("i4") if is_integer else samples)
    return path, samples.T


@pytest.mark.parametrize("what", LOSSLESS)
def test_lossless_containers_give_every_sample(what: str, tmp_path: Path) -> None:
    path, expected = write(tmp_path / "misnamed.bin", what)
    with open_recording(path) as recording:
        assert [recording.container, recording.subtype] == what.split()
        assert recording.warnings == ()
        np.testing.assert_array_equal(recording.read(0, recording.n_samples), expected)


@pytest.mark.parametrize("what", LOSSLESS + LOSSY)
def test_blocks_anywhere_are_the_same_as_in_one_pass(what: str, tmp_path: Path) -> None:
    path, _ = write(tmp_path / "a", what)
    with open_recording(path) as recording:
        whole = recording.read(0, recording.n_samples)
        for start in (recording.n_samples - 100, 12_345, 0, 4096, 77):
            block = recording.read(start, 100)
            np.testing.assert_array_equal(block, whole[:, start : start + 100])


@pytest.mark.parametrize("what", LOSSLESS + LOSSY)
def test_a_file_cut_in_half_is_never_taken_for_whole(what: str, tmp_path: Path) -> None:
    path, _ = write(tmp_path / "a", what)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    if what.startswith("MP3"):  # which has no length that could be relied on
        with open_recording(path) as recording:
            assert [notice.kind for notice in recording.warnings] == ["length-uncertain"]
    else:
        with pytest.raises(RecordingError) as failure:
            open_recording(path)
        assert failure.value.kind == ("malformed" if "CAF" in what else "input-truncated")


def test_a_truncated_flac_gives_its_whole_blocks_when_that_is_allowed(tmp_path: Path) -> None:
    path, expected = write(tmp_path / "a", "FLAC PCM_16")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    with open_recording(path, allow_truncated=True) as recording:
        assert "input-truncated" in [notice.kind for notice in recording.warnings]
        assert 0 < recording.n_samples < N_SAMPLES
        np.testing.assert_array_equal(
            recording.read(0, recording.n_samples), expected[:, : recording.n_samples]
        )


JOINED = {"VORBIS": "OGG", "OPUS": "OGG", "MPEG_LAYER_III": "MP3"}


@pytest.mark.parametrize("subtype", JOINED)
def test_of_joined_files_nothing_is_lost_or_said_by_a_decoder(
    subtype: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = []
    for k, n_samples in enumerate((24_000, 12_345, 7_000)):
        noise = np.random.default_rng(k).uniform(-0.3, 0.3, (n_samples, 2))
        soundfile.write(tmp_path / str(k), noise, 48_000, subtype, format=JOINED[subtype])
        with open_recording(tmp_path / str(k)) as recording:
            parts.append(recording.read(0, recording.n_samples))
    path = tmp_path / "joined"
    path.write_bytes(b"".join((tmp_path / str(k)).read_bytes() for k in range(3)))
    with open_recording(path) as recording:
        assert recording.warnings == ()
        whole = recording.read(0, recording.n_samples)
    np.testing.assert_array_equal(whole, np.hstack(parts))
    assert capfd.readouterr().err == ""


def test_an_mp3_may_be_joined_to_one_that_does_not_tell_its_length(tmp_path: Path) -> None:
    path, parts = tmp_path / "a.mp3", []
    for k in range(3):
        noise = np.random.default_rng(k).uniform(-0.3, 0.3, (24_000, 2))
        soundfile.write(path, noise, 48_000, "MPEG_LAYER_III", format="MP3")
        parts.append(path.read_bytes())
    second_frame = parts[0].index(parts[0][:2], 4)
    untold = parts[0][second_frame:]
    assert b"Info" in parts[0][:second_frame] or b"Xing" in parts[0][:second_frame]
    titles = b"ID3\x04\0\0\0\0\x02\x01" + bytes(257)
    for joined in ((untold, parts[1]), (titles + parts[1], titles + parts[2]), (parts[1], untold)):
        lengths = []
        for content in (*joined, b"".join(joined)):
            path.write_bytes(content)
            with open_recording(path, allow_truncated=True) as recording:
                lengths.append(recording.n_samples)
        assert lengths[2] == lengths[0] + lengths[1]


@pytest.mark.parametrize("subtype", JOINED)
def test_joined_files_of_different_kinds_are_refused(subtype: str, tmp_path: Path) -> None:
    path, content = tmp_path / "a", b""
    for n_chan in (2, 1):
        soundfile.write(path, np.zeros((9000, n_chan)), 48_000, subtype, format=JOINED[subtype])
        content += path.read_bytes()
    path.write_bytes(content)
    words = "several recordings in one file: 2 channels .* then 1 channels"
    with pytest.raises(RecordingError, match=words) as failure:
        open_recording(path)
    assert failure.value.kind == "unsupported"


def test_a_decoder_that_complains_is_not_heard(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, _ = write(tmp_path / "a.mp3", "MP3 MPEG_LAYER_III")
    content = path.read_bytes()
    path.write_bytes(content[:3000] + bytes(500) + content[3000:])
    open_recording(path, allow_truncated=True).close()
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_a_little_file_that_decodes_to_gigabytes_is_refused_beforehand(tmp_path: Path) -> None:
    path = tmp_path / "silent.flac"
    n_samples = 8_000_000
    with soundfile.SoundFile(path, "w", RATE, 8, "PCM_16") as file:
        for _ in range(8):
            file.write(np.zeros((n_samples // 8, 8), np.int16))
    content = bytearray(path.read_bytes())
    assert len(content) < 200_000
    content[22:26] = (100_000_000).to_bytes(4, "big")  # total samples, the lower 32 bits
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"its \d+ bytes take 1600000000") as failure:
        open_recording(path)
    assert failure.value.kind == "resource-limit"


def test_gsm_which_cannot_be_sought_in_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(1600), 8000, "GSM610", format="WAV")
    with open_recording(path) as recording:
        assert recording.read(800, 100).shape == (1, 100)


def test_a_flac_whose_header_claims_the_impossible_is_refused_at_once(tmp_path: Path) -> None:
    path, _ = write(tmp_path / "a.flac", "FLAC PCM_16")
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4  # total samples: 36 bits, all set
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="68719476735 samples") as failure:
        open_recording(path)
    assert failure.value.kind == "malformed"


def test_a_hostile_header_costs_no_memory(tmp_path: Path) -> None:
    header = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", 36, b"WAVE", b"fmt ", 16, 1, 64, RATE, 0, 0, 32
    )
    hostile = {
        "huge-chunk": header + b"data" + struct.pack("<I", 0x7FFFEDFF) + bytes(1000),
        "huge-fmt": b"RIFF\xff\xff\xff\xffWAVEfmt \xf0\xff\xff\x7f" + bytes(100),
        "many-chunks": b"RIFF\xff\xff\xff\xffWAVE" + b"JUNK\0\0\0\0" * 200_000,
        "many-chunks-after": header
        + b"data\xff\xff\xff\xff"
        + b"JUNK\0\0\0\0" * 130_000
        + bytes(3),
    }
    for name, content in hostile.items():
        (tmp_path / name).write_bytes(content)
    code = (
        "import resource, sys\n"
        "from auxiva_cli.audio import open_recording\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sys.argv[1:]:\n"
        "    try: open_recording(path)\n"
        "    except ValueError as error: print(error.kind)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    paths = [str(tmp_path / name) for name in hostile]
    ran = subprocess.run(
        [sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True, timeout=20
    )
    *kinds, kilobytes = ran.stdout.split()
    assert kinds == ["input-truncated", "input-truncated", "malformed", "input-truncated"]
    assert int(kilobytes) < 20_000


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("options", ["-f wav", "-f wav -rf64 always", "-f wav -c:a pcm_s24le",
    "-f wav -c:a pcm_f32le", "-f wav -c:a pcm_u8", "-f wav -c:a pcm_alaw", "-f flac", "-f w64",
    "-f aiff", "-f au", "-f ogg"])  # fmt: skip
def test_what_ffmpeg_pipes_has_every_sample(options: str, tmp_path: Path) -> None:
    generate = [
        "ffmpeg",
        "-v",
        "error",
        "-nostdin",
        "-f",
        "lavfi",
        "-i",
        "sine=440:r=16000:d=1.5",
        "-ac",
        "2",
    ]
    code = (
        "from auxiva_cli.audio import open_recording\n"
        "with open_recording('-') as recording:\n"
        "    block = recording.read(0, recording.n_samples)\n"
        "    print(recording.n_chan, recording.n_samples, recording.sample_rate, abs(block).max())"
    )
    with subprocess.Popen([*generate, *options.split(), "-"], stdout=subprocess.PIPE) as ffmpeg:
        ran = subprocess.run(
            [sys.executable, "-c", code], stdin=ffmpeg.stdout, capture_output=True, text=True
        )
    assert ran.stderr == ""
    n_chan, n_samples, rate, peak = ran.stdout.split()
    assert (n_chan, n_samples, rate) == ("2", "24000", "16000")
    assert 0.05 < float(peak) < 0.25  # lavfi's sine has a peak of 1/8
