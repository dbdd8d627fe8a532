"""Files of filters: they come back as they were, and no hostile one gets beyond an error."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array
from problems import complex_normal

from auxiva_cli.bss.scaling import sum_to_identity
from auxiva_cli.errors import FiltersError
from auxiva_cli.filters import Filters
from auxiva_cli.listening.stft import Stft

STFT = Stft(16, 4, "hann")
HEADER = {
    "format": "auxiva-filters",
    "version": 1,
    "sample_rate": 8000,
    "n_fft": 16,
    "hop_length": 4,
    "window": "hann",
    "n_src": 2,
    "n_chan": 3,
    "ref_chan": 1,
}
FILTERS = Filters(
    sum_to_identity(complex_normal(np.random.default_rng(0), 2, 3, 3, 9)).astype(np.complex64),
    STFT,
    8000,
    1,
)
KNOWING = replace(FILTERS, R=complex_normal(np.random.default_rng(1), 3, 3, 9).astype(np.complex64))
WHOLE = FILTERS.to_bytes()


def npy(array: Any, **kwargs: Any) -> bytes:
    """Return an array as NumPy stores it."""
    content = io.BytesIO()
    np.lib.format.write_array(content, np.asarray(array), **kwargs)
    return content.getvalue()


def npy_header(text: str, content: bytes = b"") -> bytes:
    """Return an array that declares itself with this text."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + content


def declared(descr: str, shape: str, content: bytes = b"") -> bytes:
    return npy_header(
        f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n", content
    )


def archive(compression: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    """Return an npz file of these members."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        for name, member in members.items():
            file.writestr(f"{name}.npy", member)
    return content.getvalue()


def with_text(text: bytes, G: bytes | None = None) -> bytes:
    """Return a file whose header is this text."""
    return archive(header=npy(np.frombuffer(text, np.uint8)), G=npy(FILTERS.G) if G is None else G)


def with_header(**changed: Any) -> bytes:
    """Return a file whose header is another in some values."""
    return with_text(json.dumps(HEADER | changed).encode())


def with_filters(G: bytes) -> bytes:
    """Return a file whose filters are these bytes."""
    return with_text(json.dumps(HEADER).encode(), G)


def with_covariance(R: Array) -> bytes:
    """Return a file of filters with this covariance."""
    header = np.frombuffer(json.dumps(HEADER).encode(), np.uint8)
    return archive(header=npy(header), G=npy(FILTERS.G), R=npy(R))


def flagged_as_encrypted() -> bytes:
    """Return a file that asks for a password."""
    content = bytearray(WHOLE)
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


class RunsWhenUnpickled:
    """Leaves a file where it was unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.trace,)


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[bytes], FiltersError]:
    """Return what loads a file that must be refused, and gives the error."""

    def refused(content: bytes) -> FiltersError:
        path = tmp_path / "filters.npz"
        path.write_bytes(content)
        with pytest.raises(FiltersError) as caught:
            Filters.load(path)
        assert caught.value.kind == "bad-filters"
        return caught.value

    return refused


def test_filters_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "filters.npz"
    path.write_bytes(WHOLE)
    found = Filters.load(path)
    np.testing.assert_array_equal(found.G, FILTERS.G)
    assert found.G.dtype == np.complex64
    assert (found.stft, found.sample_rate, found.ref_chan) == (STFT, 8000, 1)


def test_the_covariance_comes_back_if_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "filters.npz"
    path.write_bytes(KNOWING.to_bytes())
    found = Filters.load(path)
    np.testing.assert_array_equal(found.R, KNOWING.R)
    np.testing.assert_array_equal(found.G, FILTERS.G)
    path.write_bytes(WHOLE)
    assert Filters.load(path).R is None


def test_drifts_and_delays_come_back_if_there_are_any(tmp_path: Path) -> None:
    path = tmp_path / "filters.npz"
    drifts, lags = np.array([0.0, 0.0, -20.25]), np.array([0, 5, 0])
    path.write_bytes(replace(FILTERS, drifts=drifts, lags=lags).to_bytes())
    found = Filters.load(path)
    np.testing.assert_array_equal(found.drifts, drifts)
    np.testing.assert_array_equal(found.lags, lags)
    assert replace(FILTERS, drifts=np.zeros(3), lags=np.zeros(3, int)).to_bytes() == WHOLE


def test_that_the_last_is_the_rest_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "filters.npz"
    path.write_bytes(replace(FILTERS, has_rest=True, out_chans=np.array([2, 0])).to_bytes())
    found = Filters.load(path)
    assert (found.n_src, found.n_out, found.has_rest) == (1, 2, True)
    np.testing.assert_array_equal(found.out_chans, [2, 0])


def test_equal_filters_make_equal_files() -> None:
    assert FILTERS.to_bytes() == WHOLE


def test_numpy_reads_them_without_pickle(tmp_path: Path) -> None:
    with np.load(io.BytesIO(WHOLE), allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["G"], FILTERS.G)
        assert json.loads(arrays["header"].tobytes()) == HEADER


def test_the_tests_own_files_are_sound(tmp_path: Path) -> None:
    path = tmp_path / "filters.npz"
    path.write_bytes(with_header())
    np.testing.assert_array_equal(Filters.load(path).G, FILTERS.G)


@pytest.mark.parametrize("name", ["header", "G"])
def test_nothing_in_a_file_is_executed(
    tmp_path: Path, refused: Callable[[bytes], FiltersError], name: str
) -> None:
    trace = tmp_path / "executed"
    pickled = np.array([RunsWhenUnpickled(trace)], object)
    members = {"header": npy(np.frombuffer(json.dumps(HEADER).encode(), np.uint8))}
    refused(archive(**(members | {name: npy(pickled, allow_pickle=True)})))
    assert not trace.exists()


HOSTILE = {
    "empty": b"",
    "text": b"not a file of filters",
    "archive of nothing": archive(),
    "no filters": archive(header=npy(np.frombuffer(json.dumps(HEADER).encode(), np.uint8))),
    "bare array": npy(FILTERS.G),
    "encrypted": flagged_as_encrypted(),
    "compressed": archive(
        zipfile.ZIP_DEFLATED,
        header=npy(np.frombuffer(json.dumps(HEADER).encode(), np.uint8)),
        G=npy(FILTERS.G),
    ),
    "header of shape 2^60": archive(header=declared("|u1", f"({2**60},)", b"{}")),
    "header of shape -2": archive(header=declared("|u1", "(-2,)", bytes(1000))),
    "header of shape ()": archive(header=declared("|u1", "()", b"1")),
    "header declared in brackets": archive(header=npy_header("(" * 9000)),
    "header declared in signs": archive(header=npy_header("-" * 9000 + "1")),
    "header declared in a few signs": archive(header=npy_header("-" * 200 + "1")),
    "drifts too few": with_header(drifts=[0.0, 9.0]),
    "drifts no list": with_header(drifts=9.0),
    "drift NaN": with_header(drifts=[0.0, 0.0, float("nan")]),
    "drift too large": with_header(drifts=[0.0, 0.0, -1000.5]),
    "drift no number": with_header(drifts=[0.0, 0.0, "9"]),
    "drift a truth": with_header(drifts=[0.0, 0.0, True]),
    "rest a number": with_header(has_rest=1),
    "rest that is not there": with_header(has_rest=True),
    "header too long": with_text(b" " * 5000),
    "header not UTF-8": with_text(b"\xff\xfe{}"),
    "header of brackets": with_text(b"[" * 4000),
    "header a list": with_text(b"[]"),
    "header a number of 4000 digits": with_text(b"1" * 4000),
    "filters of shape 2^60": with_filters(declared("<c8", f"({2**60}, 3, 3, 9)")),
    "filters of shape -1": with_filters(declared("<c8", "(-1, 3, 3, 9)", FILTERS.G.tobytes())),
    "filters of another shape": with_filters(npy(FILTERS.G[:, :2])),
    "filters of no dimension": with_filters(npy(np.complex64(1))),
    "filters in double": with_filters(npy(FILTERS.G.astype(complex))),
    "filters of reals": with_filters(npy(FILTERS.G.real)),
    "filters big-endian": with_filters(npy(FILTERS.G.astype(">c8"))),
    "filters in Fortran order": with_filters(npy(np.asfortranarray(FILTERS.G))),
    "filters a record": with_filters(npy(np.zeros(2, [("a", "<f4")]))),
    "filters cut off": with_filters(npy(FILTERS.G)[:-1]),
    "filters with more behind": with_filters(npy(FILTERS.G) + b"\0"),
    "filters of version 3": with_filters(npy(FILTERS.G, version=(3, 0))),
    "filters with NaN": with_filters(npy(FILTERS.G * np.complex64(np.nan))),
    "covariance of another shape": with_covariance(KNOWING.R[:2]),
    "covariance in double": with_covariance(KNOWING.R.astype(complex)),
    "covariance with NaN": with_covariance(KNOWING.R * np.complex64(np.nan)),
    "filters infinite": with_filters(npy(np.full_like(FILTERS.G, np.inf))),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused(
    refused: Callable[[bytes], FiltersError], content: bytes
) -> None:
    refused(content)


@pytest.mark.parametrize("name", HEADER)
@pytest.mark.parametrize(
    "value", [None, False, -1, 2**60, 1.5, "2", "\0", [2], {}], ids=lambda value: repr(value)
)
def test_a_header_with_a_wrong_value_is_refused(
    refused: Callable[[bytes], FiltersError], name: str, value: Any
) -> None:
    refused(with_header(**{name: value}))


@pytest.mark.parametrize("name", HEADER)
def test_a_header_without_a_value_is_refused(
    refused: Callable[[bytes], FiltersError], name: str
) -> None:
    refused(with_text(json.dumps({k: v for k, v in HEADER.items() if k != name}).encode()))


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"version": 2}, "version 2, this program reads version 1"),
        ({"n_src": 4}, "n_src is 4, of 3 channels"),
        ({"ref_chan": 3}, "ref_chan is 3, of 3 channels"),
        ({"n_chan": 65}, "n_chan is 65"),
        ({"n_fft": 18}, "shape"),
        ({"hop_length": 9}, "hop_length=9"),
        ({"n_chan": 64, "n_src": 64, "n_fft": 2**20}, "would take"),
    ],
)
def test_the_error_says_what_is_wrong(
    refused: Callable[[bytes], FiltersError], changed: dict[str, Any], text: str
) -> None:
    error = refused(with_header(**changed))
    assert text in error.what
    assert "anew" in error.hint


@given(st.data())
def test_a_damaged_file_is_refused_or_read_but_nothing_else(data: st.DataObject) -> None:
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    damaged = data.draw(st.sampled_from([content, content[:cut], content[cut:]]))
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(damaged)
        try:
            found = Filters.load(Path(file.name))
        except FiltersError:
            return
    assert found.G.shape == FILTERS.G.shape


@pytest.mark.parametrize("name", ["missing.npz", "."])
def test_what_cannot_be_read_is_an_error_of_its_own(tmp_path: Path, name: str) -> None:
    with pytest.raises(FiltersError, match="cannot be read"):
        Filters.load(tmp_path / name)


@pytest.mark.parametrize("factor", [0, 2, 1.001, 1e20])
def test_filters_that_do_not_sum_to_the_identity_are_refused(
    refused: Callable[[bytes], FiltersError], factor: float
) -> None:
    scaled = Filters((FILTERS.G * factor).astype(np.complex64), STFT, 8000, 1)
    assert "sum to the identity" in refused(scaled.to_bytes()).what


def test_only_a_regular_file_is_opened() -> None:
    with pytest.raises(FiltersError, match="not a regular file"):
        Filters.load("/dev/zero")
