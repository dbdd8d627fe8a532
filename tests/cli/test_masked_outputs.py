"""``--mask``: what is written, and what is not touched by it."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from command_line import ENVIRONMENT, SAMPLE_RATE, contents, heard, mixture, separate

from auxiva_cli import separate as separate_in_python
from auxiva_cli.errors import ParameterError
from auxiva_cli.filters.mask import masked


def test_masked_outputs_sum_to_the_microphone_and_the_filters_stay(record, out, tmp_path):
    talk, made = record(subtype="FLOAT"), {}
    for name, options in (("plain", ()), ("masked", ("--mask",))):
        saved = tmp_path / f"{name}.npz"
        result = separate(talk, "-o", out / name, "--save-filters", saved, *options)
        assert result.exit_code == 0, result.stderr
        made[name] = heard(out / name, "talk")
    np.testing.assert_allclose(made["masked"].sum(axis=0), mixture()[0], atol=1e-6)
    expected = masked([made["plain"][:, None]], SAMPLE_RATE)
    expected = np.concatenate(list(expected), axis=-1)[:, 0]
    np.testing.assert_allclose(made["masked"], expected, atol=1e-6)
    assert not np.allclose(made["masked"], made["plain"], atol=1e-3)
    assert (tmp_path / "plain.npz").read_bytes() == (tmp_path / "masked.npz").read_bytes()
    ours = separate_in_python(mixture(), SAMPLE_RATE, n_fft=512, max_iter=5, mask=True).sources
    np.testing.assert_allclose(made["masked"], ours, atol=1e-4)


def test_masked_images_sum_to_every_microphone(record, out):
    result = separate(record(subtype="FLOAT"), "-o", out, "--mask", "--all-channels")
    assert result.exit_code == 0, result.stderr
    np.testing.assert_allclose(heard(out, "talk").sum(axis=0).T, mixture(), atol=1e-6)


def test_a_stream_is_masked_as_the_file_is(record, out, tmp_path):
    talk, saved = record(subtype="FLOAT"), tmp_path / "seats.npz"
    assert separate(talk, "-o", out, "--save-filters", saved, "--mask").exit_code == 0
    line = [sys.executable, "-m", "auxiva_cli", "apply", saved, "-", "-o", "-", "--mask"]
    streamed = subprocess.run(
        line, input=talk.read_bytes(), env=ENVIRONMENT, capture_output=True, check=True
    )
    found = soundfile.read(io.BytesIO(streamed.stdout))[0].T
    np.testing.assert_allclose(found, heard(out, "talk"), atol=1e-5)


def test_outputs_without_a_sum_are_not_masked(record, out):
    result = separate(record(), "-o", out, "--mask", "--ref-channel", "loudest")
    assert result.exit_code == 2
    assert "no sum" in result.stderr
    assert contents(out) == {}
    with pytest.raises(ParameterError, match="one reference channel"):
        separate_in_python(mixture(), SAMPLE_RATE, mask=True, ref_chan="loudest")
