"""Outputs: right to the last byte, whatever the container and encoding."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from output_sets import (
    FORMATS,
    N_SAMPLES,
    RATE,
    SIGNALS,
    WAV_16,
    contents,
    targets,
    write_blocks,
    write_set,
)

from auxiva_cli.audio import (
    OutputFormat,
    count_tracks,
    open_outputs,
    open_recording,
    output_subtype,
)
from auxiva_cli.audio.output import OutputSet
from auxiva_cli.audio.staging import StagedStream
from auxiva_cli.audio.wav import wav_header
from auxiva_cli.errors import AuxivaError, OutputError, ParameterError


@pytest.mark.parametrize("output_format", FORMATS, ids=lambda f: f"{f.container} {f.subtype}")
def test_what_is_written_is_read_again_by_us_and_by_libsndfile(
    output_format: OutputFormat, tmp_path: Path
) -> None:
    paths = targets(tmp_path)
    write_set(paths, output_format)
    assert len(contents(tmp_path)) == 2
    step = {"PCM_16": 2**-15, "PCM_24": 2**-23, "PCM_32": 2**-31, "FLOAT": 2**-23}
    for path, signal_ in zip(paths, SIGNALS, strict=True):
        with open_recording(path) as recording:
            assert recording.warnings == ()
            assert recording.subtype == output_format.subtype
            assert recording.container == output_format.container
            block = recording.read(0, N_SAMPLES)
        assert np.abs(block - signal_).max() <= step.get(output_format.subtype, 0) / 2
        theirs, rate = soundfile.read(path, always_2d=True, dtype=block.dtype.name)
        assert rate == RATE
        np.testing.assert_array_equal(theirs.T, block)


@pytest.mark.parametrize("output_format", FORMATS, ids=lambda f: f"{f.container} {f.subtype}")
def test_equal_signals_give_equal_files_however_they_are_cut_into_blocks(
    output_format: OutputFormat, tmp_path: Path
) -> None:
    files = []
    for block_length in (N_SAMPLES, 1000):
        paths = targets(tmp_path / str(block_length))
        paths[0].parent.mkdir()
        with open_outputs(paths, output_format) as outputs:
            for start in range(0, N_SAMPLES, block_length):
                outputs.write(SIGNALS[..., start : start + block_length])
            outputs.commit()
        files.append(contents(paths[0].parent))
    assert files[0] == files[1]


def test_clipping_is_counted_and_the_fitting_gain_just_avoids_it(tmp_path: Path) -> None:
    loud = SIGNALS * 3
    with open_outputs(targets(tmp_path), WAV_16) as outputs:
        write_blocks(outputs, loud)
        assert outputs.peak == np.abs(loud).max()
        assert outputs.n_clipped == np.count_nonzero(np.rint(np.abs(loud) * 2**15) > 2**15 - 1)
        gain = outputs.fitting_gain
        outputs.rewind()
        write_blocks(outputs, gain * loud)
        assert (outputs.n_clipped, outputs.fitting_gain) == (0, 1.0)
        outputs.commit()
    blocks = [soundfile.read(path, dtype="int16")[0] for path in targets(tmp_path)]
    assert max(np.abs(block.astype(int)).max() for block in blocks) == 2**15 - 1


@pytest.mark.parametrize("output_format", FORMATS, ids=lambda f: f"{f.container} {f.subtype}")
def test_a_rewound_set_is_the_same_as_a_fresh_one(
    output_format: OutputFormat, tmp_path: Path
) -> None:
    for name in ("fresh", "rewound"):
        (tmp_path / name).mkdir()
    write_set(targets(tmp_path / "fresh"), output_format)
    with open_outputs(targets(tmp_path / "rewound"), output_format) as outputs:
        outputs.write(np.zeros((2, 1, N_SAMPLES)))
        outputs.rewind()
        write_blocks(outputs)
        outputs.commit()
    assert contents(tmp_path / "rewound") == contents(tmp_path / "fresh")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_what_is_not_finite_is_never_written(value: float, tmp_path: Path) -> None:
    output_format = OutputFormat(RATE, 1, N_SAMPLES, "WAV", "FLOAT")
    with (
        pytest.raises(AuxivaError, match=r"after sample 0"),
        open_outputs(targets(tmp_path), output_format) as outputs,
    ):
        write_blocks(outputs, np.where(np.arange(N_SAMPLES) == 99, value, SIGNALS))
    assert contents(tmp_path) == {}


def test_a_set_of_the_wrong_length_is_never_committed(tmp_path: Path) -> None:
    for n_samples in (N_SAMPLES - 1, 0):
        with open_outputs(targets(tmp_path), WAV_16) as outputs:
            write_blocks(outputs, SIGNALS[..., :n_samples])
            with pytest.raises(AuxivaError, match=f"{n_samples} samples .* {N_SAMPLES}"):
                outputs.commit()
    assert contents(tmp_path) == {}


def test_names_of_any_bytes_and_of_the_longest_length_can_be_written(tmp_path: Path) -> None:
    names = [b"\xff\xfe.wav", b"x" * 251 + b".wav", b"-x \n\t[bold]\x1b]0;.wav"]
    write_set([tmp_path / os.fsdecode(name) for name in names[:2]])
    write_set([tmp_path / os.fsdecode(names[2])])
    for name in names:
        with open_recording(tmp_path / os.fsdecode(name)) as recording:
            assert os.fsencode(recording.name).endswith(name)
    with pytest.raises(OutputError, match="name too long"):
        open_outputs([tmp_path / ("x" * 256)], WAV_16)


def test_a_header_beyond_four_gibibytes_is_rf64_and_below_it_plain(tmp_path: Path) -> None:
    largest = (2**32 - 1 - 36) // 4
    for n_samples, magic in ((largest, b"RIFF"), (largest + 1, b"RF64")):
        header = wav_header(n_samples, 2, RATE, "PCM_16")
        assert header[:4] == magic
        path = tmp_path / "long.wav"
        with path.open("wb") as file:
            file.write(header)
            file.truncate(len(header) + 4 * n_samples)
        assert soundfile.info(path).frames == n_samples
        with open_recording(path) as recording:
            assert recording.n_samples == n_samples
            assert recording.warnings == ()


def test_plain_headers_are_the_canonical_44_bytes() -> None:
    expected = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 42, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16, b"data", 6,
    )  # fmt: skip
    assert wav_header(3, 1, RATE, "PCM_16") == expected


@pytest.mark.parametrize(
    ("container", "n_chan", "rate", "subtype"),
    [("WAV", 1, RATE, "VORBIS"), ("OGG", 1, RATE, "PCM_16"), ("FLAC", 1, RATE, "FLOAT"),
     ("FLAC", 9, RATE, "PCM_16"), ("FLAC", 1, 768_000, "PCM_16")],
)  # fmt: skip
def test_formats_that_cannot_be_written_are_refused(
    container: str, n_chan: int, rate: int, subtype: str
) -> None:
    with pytest.raises(ParameterError):
        OutputFormat(rate, n_chan, N_SAMPLES, container, subtype)


def test_outputs_keep_the_recordings_encoding_where_they_can() -> None:
    kept = ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]
    assert [output_subtype(subtype, "WAV") for subtype in kept] == kept
    assert [output_subtype(s, "FLAC") for s in kept] == ["PCM_16", *["PCM_24"] * 4]
    for subtype in ("PCM_U8", "ALAW", "ULAW", "IMA_ADPCM", "MPEG_LAYER_III", "VORBIS", "GSM610"):
        assert {output_subtype(subtype, c) for c in ("WAV", "FLAC")} == {"PCM_16"}


@pytest.mark.parametrize("output_format", FORMATS, ids=lambda f: f"{f.container} {f.subtype}")
def test_digests_are_those_of_the_files(output_format: OutputFormat, tmp_path: Path) -> None:
    paths = targets(tmp_path)
    with open_outputs(paths, output_format) as outputs:
        write_blocks(outputs, -SIGNALS)
        outputs.rewind()
        write_blocks(outputs)
        outputs.commit()
    assert outputs.digests == [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def write_against(outputs: OutputSet, images: np.ndarray, reference: np.ndarray) -> None:
    """Write images, ``(n_src, n_chan, n_samples)``, with what they must sum to."""
    for start in range(0, N_SAMPLES, 2000):
        block = np.s_[..., start : start + 2000]
        outputs.write(images[block], reference[block])
    outputs.commit()


@pytest.mark.parametrize("output_format", FORMATS, ids=lambda f: f"{f.container} {f.subtype}")
def test_files_that_do_not_sum_to_the_recording_are_never_committed(
    output_format: OutputFormat, tmp_path: Path
) -> None:
    images = SIGNALS * 0.5
    reference = images.sum(axis=0)
    # Integers: each output may be half a step off, and the recording; floats: 100 dB.
    step = 0.0 if output_format.subtype in ("FLOAT", "DOUBLE") else output_format.step
    allowed = max(1.5 * step, 1e-5 * np.abs(reference).max())
    nearly, spoilt = images.copy(), images.copy()
    nearly[1, 0, 3000] += 0.9 * allowed - step
    spoilt[1, 0, 3000] += 1.1 * allowed + step
    paths = targets(tmp_path)
    with open_outputs(paths, output_format) as outputs:
        write_against(outputs, nearly, reference)
    before = contents(tmp_path)
    with (
        pytest.raises(AuxivaError, match=r"after sample 2000 .* do not sum .* dB") as failure,
        open_outputs(paths, output_format, overwrite=True) as outputs,
    ):
        write_against(outputs, spoilt, reference)
    assert failure.value.kind == "internal"
    assert contents(tmp_path) == before


def test_the_channels_of_one_stream_are_summed_source_by_source(tmp_path: Path) -> None:
    images = np.random.default_rng(1).uniform(-0.3, 0.3, (3, 2, N_SAMPLES))
    for reference, fits in ((images.sum(axis=0), True), (images.sum(axis=0)[::-1], False)):
        with (tmp_path / "piped.wav").open("wb") as file:
            stream = StagedStream(file.fileno())
            with OutputSet(stream, OutputFormat(RATE, 6, N_SAMPLES)) as outputs:
                if fits:
                    write_against(outputs, images, reference)
                else:
                    with pytest.raises(AuxivaError, match="sum"):
                        write_against(outputs, images, reference)


def test_a_rewound_set_forgets_what_did_not_sum(tmp_path: Path) -> None:
    with open_outputs(targets(tmp_path), WAV_16) as outputs:
        outputs.write(SIGNALS[..., :100], np.zeros((1, 100)))
        outputs.rewind()
        write_against(outputs, SIGNALS * 0.5, SIGNALS.sum(axis=0) * 0.5)
    assert len(contents(tmp_path)) == 2


@pytest.mark.parametrize("value", [1e30, 3e38])
def test_integers_of_any_size_are_clipped_without_a_word(value: float, tmp_path: Path) -> None:
    with open_outputs(targets(tmp_path), OutputFormat(RATE, 1, 2, "WAV", "PCM_32")) as outputs:
        outputs.write(np.full((2, 1, 2), value, np.float32))
        assert outputs.n_clipped == 4
        outputs.commit()


@pytest.mark.parametrize("output_format", FORMATS, ids=lambda f: f"{f.container} {f.subtype}")
def test_a_file_says_which_of_several_it_is(output_format: OutputFormat, tmp_path: Path) -> None:
    paths = targets(tmp_path)
    with open_outputs(paths, output_format, tracks=["1/7", "12/70"]) as outputs:
        write_blocks(outputs)
        outputs.commit()
    assert [count_tracks(path) for path in paths] == [7, 70]
    for path, track, signal_, digest in zip(
        paths, ["1/7", "12/70"], SIGNALS, outputs.digests, strict=True
    ):
        assert soundfile.SoundFile(path).tracknumber == track
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
        with open_recording(path) as recording:
            assert recording.warnings == ()
            assert recording.n_samples == N_SAMPLES
            np.testing.assert_allclose(recording.read(0, N_SAMPLES), signal_, atol=2**-15)
        if output_format.container == "WAV":
            content = path.read_bytes()
            assert struct.unpack("<I", content[4:8])[0] == len(content) - 8


def test_a_file_that_does_not_say_it_is_one_of_unknown_many(tmp_path: Path) -> None:
    write_set(targets(tmp_path))
    text = tmp_path / "text"
    text.write_text("1/2")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (targets(tmp_path)[0], text, fifo, tmp_path, tmp_path / "none"):
        assert count_tracks(path) is None
