"""Whatever the bytes: a recording that can be read, or an error of ours; never anything else."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wav_builders import good_files, odd_files

from auxiva_cli.audio import open_recording
from auxiva_cli.errors import AuxivaError

SEEDS = [case.content for case in (good_files() | odd_files()).values()]
FIELDS = st.sampled_from(
    [(value % 2 ** (8 * width)).to_bytes(width, "little")
     for width in (1, 2, 4, 8) for value in (0, 1, -1, 2**15, 2**31, 2**31 - 1, 2**32 - 1, 2**62)]
)  # fmt: skip
NAMES = st.sampled_from([b"data", b"fmt ", b"LIST", b"ds64", b"RIFF", b"\0\0\0\0", b"JUNK"])


def read_everything(content: bytes) -> None:
    """Open a file and read it in blocks, as the program would."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(content)
        for allow_truncated in (False, True):
            with (
                contextlib.suppress(AuxivaError),
                open_recording(file.name, allow_truncated=allow_truncated) as recording,
            ):
                n_bytes = recording.n_samples * recording.n_chan
                assert 0 < n_bytes <= len(content)
                for start in range(0, recording.n_samples, 4096):
                    n_samples = min(4096, recording.n_samples - start)
                    assert recording.read(start, n_samples).shape == (recording.n_chan, n_samples)


@settings(deadline=2000, max_examples=300)
@given(st.sampled_from(SEEDS), st.data())
def test_mutated_wav_headers_never_surprise(content: bytes, choices: st.DataObject) -> None:
    mutant = bytearray(content)
    for _ in range(choices.draw(st.integers(1, 4))):
        at = choices.draw(st.integers(0, 120))
        piece = choices.draw(FIELDS | NAMES | st.binary(min_size=1, max_size=4))
        if choices.draw(st.booleans()):
            mutant[at : at + len(piece)] = piece
        else:
            mutant[at:at] = piece
    if choices.draw(st.booleans()):
        del mutant[choices.draw(st.integers(0, len(mutant))) :]
    read_everything(bytes(mutant))


@settings(deadline=2000, max_examples=100)
@given(st.binary(max_size=200), st.sampled_from([b"", b"RIFF", b"RF64", b"FORM", b"OggS", b".snd"]))
@example(b"", b"RIFF")
def test_arbitrary_bytes_never_surprise(content: bytes, magic: bytes) -> None:
    read_everything(magic + content)


@pytest.mark.parametrize(
    "what", ["FLAC PCM_16", "AIFF PCM_16", "AU FLOAT", "CAF PCM_16", "W64 PCM_16"]
)
def test_mutated_headers_of_other_containers_never_surprise(what: str, tmp_path: Path) -> None:
    container, subtype = what.split()
    path = tmp_path / "a"
    soundfile.write(path, [[0.1, 0.2]] * 500, 16_000, subtype, format=container)
    content = path.read_bytes()
    for at in range(0, 100, 3):
        for piece in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f"):
            mutant = content[:at] + piece + content[at + len(piece) :]
            path.write_bytes(mutant)
            with contextlib.suppress(AuxivaError), open_recording(path) as recording:
                assert recording.read(0, 1).shape == (recording.n_chan, 1)
