"""What only ffmpeg reads: all of its channels, one of its tracks, and no half of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from auxiva_cli.audio import open_recording
from auxiva_cli.errors import RecordingError

RATE, N_SAMPLES = 16_000, 32_000
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def noise(n_chan: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(n_chan).uniform(-0.5, 0.5, (N_SAMPLES, n_chan))


@pytest.fixture
def make(tmp_path: Path) -> Any:
    """Return a function that has ffmpeg write noise of so many channels, a file for each track."""

    def make(name: str, *options: str, n_chan: int = 2, n_tracks: int = 1) -> Path:
        path = tmp_path / name
        inputs: list[str] = []
        for track in range(n_tracks):
            wav = tmp_path / f"{track}.wav"
            soundfile.write(wav, noise(n_chan + track), RATE)
            inputs += ["-i", str(wav)]
        maps = [argument for track in range(n_tracks) for argument in ("-map", f"{track}:a")]
        command = ["ffmpeg", "-v", "error", "-y", *inputs, *maps, *options, str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return path

    return make


def samples(path: Path, **options: Any) -> np.ndarray[Any, Any]:
    with open_recording(path, **options) as recording:
        assert recording.sample_rate == RATE
        block: np.ndarray[Any, Any] = recording.read(0, recording.n_samples)
    return block


def refused(path: Path, **options: Any) -> RecordingError:
    with pytest.raises(RecordingError) as failure:
        open_recording(path, **options)
    return failure.value


@needs_ffmpeg
def test_what_is_stored_without_loss_comes_out_as_it_was(make: Any) -> None:
    film = make("talk.mkv", "-c:a", "flac", n_chan=3)
    with open_recording(film) as recording:
        assert (recording.n_chan, recording.subtype) == (3, "PCM_16")
    expected = soundfile.read(film.with_name("0.wav"))[0]
    np.testing.assert_array_equal(samples(film), expected.T.astype(np.float32))


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "codec"), [("phone.m4a", "AAC"), ("talk.mp4", "AAC"), ("a.wma", "WMAV2"),
                        ("a.ts", "MP2")],
)  # fmt: skip
def test_what_phones_and_cameras_write_is_read(make: Any, name: str, codec: str) -> None:
    with open_recording(make(name)) as recording:
        assert (recording.n_chan, recording.sample_rate) == (2, RATE)
        assert recording.subtype == ("PCM_16" if codec == "MP2" else codec)
        assert abs(recording.n_samples - N_SAMPLES) < 5000  # codecs pad
        assert recording.warnings == ()


@needs_ffmpeg
def test_the_channel_of_low_frequencies_is_left_out_and_no_other(make: Any) -> None:
    film = make("six.mka", "-c:a", "aac", "-b:a", "900k", n_chan=6)
    with open_recording(film) as recording:
        (notice,) = recording.warnings
    assert notice.kind == "channel-unrelated"
    assert "channel 4 has the low frequencies of 5.1" in notice.text
    kept = soundfile.read(film.with_name("0.wav"))[0][:, [0, 1, 2, 4, 5]]
    heard = samples(film)[:, 4096:20_000]
    alike = np.corrcoef(np.concatenate([heard, kept.T[:, 4096 - 1024 : 20_000 - 1024]]))[:5, 5:]
    assert alike.argmax(axis=1).tolist() == [0, 1, 2, 3, 4]


@needs_ffmpeg
def test_the_microphones_of_an_array_are_all_kept_whatever_their_number_is_called(
    make: Any,
) -> None:
    for n_chan in (3, 6):
        assert len(samples(make(f"{n_chan}.mkv", "-c:a", "flac", n_chan=n_chan))) == n_chan


@needs_ffmpeg
def test_of_several_tracks_one_is_chosen_or_all_are_taken(make: Any) -> None:
    film = make("two.mkv", "-c:a", "pcm_s16le", "-metadata:s:a:1", "language=eng", n_tracks=2)
    failure = refused(film)
    assert failure.kind == "several-tracks"
    assert (
        "2 sound tracks: 1 (pcm_s16le, 2 channels); 2 (eng, pcm_s16le, 3 channels)" in failure.what
    )
    assert refused(film, audio_track=3).kind == "several-tracks"
    tracks = [soundfile.read(film.with_name(f"{k}.wav"))[0].T.astype("f4") for k in (0, 1)]
    for k in (0, 1):
        np.testing.assert_array_equal(samples(film, audio_track=k + 1), tracks[k])
    np.testing.assert_array_equal(samples(film, audio_track="all"), np.concatenate(tracks))


@needs_ffmpeg
@pytest.mark.parametrize("name", ["talk.mkv", "phone.m4a", "six.ac3"])
def test_half_a_film_is_an_error(make: Any, name: str) -> None:
    film = make(name)
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2 + 101])
    failure = refused(film)
    assert failure.kind in ("input-truncated", "malformed"), failure
    if failure.kind == "input-truncated":
        with open_recording(film, allow_truncated=True) as recording:
            assert 0 < recording.n_samples / recording.sample_rate < N_SAMPLES / RATE
            assert [notice.kind for notice in recording.warnings] == ["input-truncated"]


@needs_ffmpeg
def test_a_damaged_film_is_an_error(make: Any) -> None:
    film = make("talk.mkv")
    content = bytearray(film.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 400] = bytes(400)
    film.write_bytes(content)
    assert refused(film).kind == "input-truncated"


@needs_ffmpeg
def test_a_film_without_sound_is_told(tmp_path: Path) -> None:
    film = tmp_path / "silent.mkv"
    picture = ["-f", "lavfi", "-i", "testsrc=d=0.2:s=32x32"]
    subprocess.run(["ffmpeg", "-v", "error", *picture, film], check=True, stdin=subprocess.DEVNULL)
    assert "it has no sound track" in refused(film).what


@needs_ffmpeg
def test_nothing_but_the_file_itself_is_read(make: Any, tmp_path: Path) -> None:
    """A list of other files under the name and the magic of a film."""
    make("secret.mkv")
    film = tmp_path / "list.mkv"
    film.write_bytes(b"\x0b\x77\nffconcat version 1.0\nfile secret.mkv\n")
    assert refused(film).kind in ("malformed", "input-truncated", "unsupported")


def test_without_ffmpeg_the_message_is_a_command_to_paste(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    film = tmp_path / "two words.mkv"
    film.write_bytes(b"\x1aE\xdf\xa3" + bytes(100))
    failure = refused(film)
    assert failure.kind == "unsupported"
    assert f"ffmpeg -i '{film}' '{tmp_path}/two words.wav'" in failure.hint
