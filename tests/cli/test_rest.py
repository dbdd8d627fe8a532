"""``--rest``: what belongs to no speaker in a file of its own."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from command_line import ENVIRONMENT, SAMPLE_RATE, contents, heard, mixture, separate
from test_beside import Tags

from auxiva_cli import separate as separate_in_python

TWO = ("-s", "2")


@pytest.fixture
def talk(record):
    return record(n_chan=3, subtype="FLOAT")


def files(directory):
    """Return the sources and the rest, (3, n_samples)."""
    rest, _ = soundfile.read(directory / "talk_rest.wav")
    return np.stack([*heard(directory, "talk"), rest])


def run(*arguments):
    """Run the command, and return what it says as JSON, and to people."""
    result = separate(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout), result.stderr


def apply(*arguments, **kwargs):
    line = [sys.executable, "-m", "auxiva_cli", "apply", *map(str, arguments)]
    return subprocess.run(line, env=ENVIRONMENT, capture_output=True, check=True, **kwargs)


def test_with_the_rest_the_speakers_sum_to_the_microphone_wherever_they_are_made(
    talk, out, tmp_path
):
    saved, waveform = tmp_path / "seats.npz", mixture(n_chan=3)
    shown, said = run(talk, "-o", out / "a", *TWO, "--rest", "--save-filters", saved)
    made = files(out / "a")
    np.testing.assert_allclose(made.sum(axis=0), waveform[0], atol=1e-6)
    assert "  2 speakers and the rest  0.0 " in said
    assert "talk_src{1..2}.wav, " in said
    names = [str(out / "a" / f"talk_{name}.wav") for name in ("src1", "src2", "rest")]
    assert (shown["outputs"], shown["audio_filepath"], shown["rest"]) == (
        names,
        names[:2],
        names[2],
    )
    assert {len(shown[name]) for name in ("levels_db", "sha256", "output_channels")} == {3}
    assert shown["outputs_sum"]

    apply(saved, talk, "-o", out / "b")
    np.testing.assert_allclose(files(out / "b"), made, atol=1e-6)
    streamed = apply(saved, "-", "-o", "-", input=talk.read_bytes()).stdout
    np.testing.assert_allclose(soundfile.read(io.BytesIO(streamed))[0].T, made, atol=1e-5)
    ours = separate_in_python(waveform, SAMPLE_RATE, n_src=2, n_fft=512, max_iter=5, rest=True)
    np.testing.assert_allclose(np.stack([*ours.sources, ours.rest]), made, atol=1e-4)
    assert len(ours.levels) == 2


def test_every_microphone_has_its_rest(talk, out):
    run(talk, "-o", out, *TWO, "--rest", "--all-channels")
    total = sum(soundfile.read(out / name)[0] for name in contents(out))
    np.testing.assert_allclose(total.T, mixture(n_chan=3), atol=1e-6)


def test_as_many_speakers_as_microphones_leave_what_is_too_low_to_hear(record, out):
    run(record(subtype="FLOAT"), "-o", out, *TWO, "--rest")
    spectrum = np.abs(np.fft.rfft(files(out)))
    audible = np.fft.rfftfreq(mixture().shape[1], 1 / SAMPLE_RATE) > 100
    assert spectrum[2, audible].max() < 1e-2 * spectrum[:2, audible].max()
    assert spectrum[2, ~audible].max() > 0.1 * spectrum[:2, audible].max()


def test_the_rest_goes_with_a_speaker_who_is_picked_and_is_skipped_with_the_others(talk, out):
    options = (talk, "-o", out, *TWO, "--rest", "--pick", "2")
    shown, said = run(*options)
    assert sorted(contents(out)) == ["talk_rest.wav", "talk_src2.wav"]
    assert "  1 of 2 speakers and the rest  " in said
    assert run(*options, "--skip-existing")[0]["status"] == "skipped"
    (out / "talk_rest.wav").unlink()
    again, _ = run(*options, "--skip-existing")
    assert (again["status"], again["sha256"]) == ("separated", shown["sha256"])


def test_names_of_the_rest_are_checked_beforehand_and_named_when_an_earlier_run_left_them(
    talk, out
):
    taken = separate(talk, "-o", out, "--rest", "--pick", "1", "--name-template", "{stem}_rest.wav")
    assert taken.exit_code == 2
    assert "output-collision" in taken.stderr
    run(talk, "-o", out, *TWO, "--rest")
    shown, _ = run(talk, "-o", out, *TWO, "--force")
    (left,) = [each["what"] for each in shown["warnings"] if each["class"] == "outputs-left"]
    assert "talk_rest.wav' is of an earlier run" in left


def test_the_rest_is_on_the_page_and_speaks_never(talk, out):
    run(talk, "-o", out, *TWO, "--rest", "--report", "--activity", "json", "--report-audio", "link")
    assert (out / "talk_rest.mp3").exists()
    page = Tags(out / "talk.html")
    assert [each["data-lane"] for each in page.all("button") if "data-lane" in each].count("3") == 0
    assert "Mute Rest" in [each.get("aria-label") for each in page.all("button")]
    assert "Speaker 3" not in page.text
    assert len(json.loads((out / "talk.activity.json").read_text())["speakers"]) == 2
