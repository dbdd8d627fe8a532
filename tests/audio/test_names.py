"""The names of outputs: templates, and what is refused before anything is computed."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from auxiva_cli.audio import (
    check_files,
    check_targets,
    expand_template,
    prepare_directory,
)
from auxiva_cli.errors import OutputError, ParameterError

TEMPLATE = "{stem}_src{n}.{ext}"


@pytest.mark.parametrize(
    "stem", ["a", "a{n}", "{stem}", "100%", "$HOME", "\\1", "é", "\udcff", "-x"]
)
def test_a_stem_goes_into_the_name_as_it_is(stem: str) -> None:
    assert expand_template(TEMPLATE, stem=stem, n=12, ext="wav") == f"{stem}_src12.wav"


@pytest.mark.parametrize(
    "template",
    ["../{stem}", "/abs/{n}", "{stem.__class__}", "{n:>9999999}", "{n!r}", "{}", "{0}", "{home}",
     "{stem", "stem}", "{{stem}}", "a\0b", "", ".", "..", "{stem}/{n}", "x" * 256],
)  # fmt: skip
def test_a_template_cannot_leave_its_directory_or_do_anything_else(template: str) -> None:
    with pytest.raises(ParameterError, match=r"not usable: .*\{stem\}, \{n\} and \{ext\}"):
        expand_template(template, stem="a", n=1, ext="wav")


@pytest.mark.parametrize("stem", ["..", "a/b", "/etc/passwd", "a\0b", ""])
def test_a_stem_cannot_leave_the_directory_either(stem: str) -> None:
    with pytest.raises(ParameterError):
        expand_template("{stem}", stem=stem, n=1, ext="wav")


def test_names_that_some_file_system_takes_for_equal_collide() -> None:
    accented = unicodedata.normalize("NFC", "é.wav"), unicodedata.normalize("NFD", "é.wav")
    for first, second in (accented, ("a.wav", "A.WAV"), ("ß.wav", "SS.wav"), ("a.wav", "a.wav")):
        with pytest.raises(OutputError, match="one name") as failure:
            check_files(reads=[], writes=[Path("out") / first, Path("o/../out") / second])
        assert failure.value.kind == "output-collision"
    check_files(reads=[], writes=[Path("out/a.wav"), Path("out/b.wav"), Path("other/a.wav")])


def test_of_many_names_that_collide_a_few_are_listed() -> None:
    origins = [f"{k}/a.wav" for k in range(9)]
    with pytest.raises(OutputError) as failure:
        check_files(reads=[], writes=[Path("out/a_src1.wav")] * 9, origins=origins)
    assert "'0/a.wav', '1/a.wav', '2/a.wav' and 6 more would give 'a_src1.wav'" in str(
        failure.value
    )


def test_an_input_is_recognised_under_every_name(tmp_path: Path) -> None:
    recording = tmp_path / "recording.wav"
    recording.write_bytes(b"")
    (tmp_path / "symlink.wav").symlink_to(recording)
    (tmp_path / "hardlink.wav").hardlink_to(recording)
    (tmp_path / "directory").symlink_to(tmp_path)
    for name in ("recording.wav", "symlink.wav", "hardlink.wav", "directory/recording.wav"):
        with pytest.raises(OutputError, match="itself") as failure:
            check_files(reads=[recording], writes=[tmp_path / "other.wav", tmp_path / name])
        assert failure.value.kind == "output-is-input"
    check_files(reads=[recording, Path("missing.wav")], writes=[tmp_path / "other.wav"])


def test_existing_outputs_are_listed_even_if_their_link_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "dangling.wav").symlink_to("nowhere")
    (tmp_path / "file.wav").write_bytes(b"")
    with pytest.raises(OutputError, match=r"dangling\.wav.*file\.wav"):
        check_targets([tmp_path / "dangling.wav", tmp_path / "new.wav", tmp_path / "file.wav"])
    check_targets([tmp_path / "new.wav", tmp_path / "missing" / "new.wav"])


def test_a_name_that_the_file_system_refuses_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="name too long") as failure:
        check_targets([tmp_path / ("x" * 300)])
    assert failure.value.kind == "write-error"


def test_a_directory_is_made_with_its_parents_and_left_empty(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    for _ in range(2):
        prepare_directory(directory)
        assert list(directory.iterdir()) == []


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match=r"[Nn]ot a directory") as failure:
            prepare_directory(path)
        assert failure.value.kind == "write-error"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a directory nobody writes in")
def test_a_directory_that_cannot_be_written_in_is_named() -> None:
    with pytest.raises(OutputError, match="cannot write in '/proc/self'"):
        prepare_directory(Path("/proc/self"))
