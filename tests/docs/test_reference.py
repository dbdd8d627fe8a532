"""What the pages say of the program is what the program does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import make_man_page
import make_reference
import numpy as np
import pytest
from click.testing import CliRunner
from pages import ENVIRONMENT, PAGES, README, ROOT, blocks

from auxiva_cli.cli.main import COMMANDS, cli
from auxiva_cli.errors import KINDS, NOTICE_KINDS
from auxiva_cli.motion import Motion

ERRORS = (ROOT / "docs" / "errors.md").read_text()
ERROR_TABLE, _, WARNING_TABLE = ERRORS.partition("\n## Warnings\n")
PACKAGE = ROOT / "auxiva_cli"
LARGEST_README = 8000


def rows(table: str) -> dict[str, list[str]]:
    """Return the cells of each row of a table that begins with a word in code, by that word."""
    cells = [re.split(r" *(?<!\\)\| *", line.strip("| ")) for line in table.splitlines()]
    return {row[0].strip("`"): row[1:] for row in cells if re.fullmatch(r"`[a-z0-9_-]+`", row[0])}


def test_the_command_reference_is_what_help_says():
    page = make_reference.PAGE.read_text()
    assert page == make_reference.reference(), "make reference renews it"


def test_the_man_page_is_what_help_says():
    assert make_man_page.PAGE.read_text() == make_man_page.man_page(), "make reference renews it"


@pytest.mark.skipif(shutil.which("groff") is None, reason="takes groff")
def test_the_man_page_reads_well():
    command = ["groff", "-man", "-Tutf8", "-P-cbou", "-ww", "-rLL=300n", make_man_page.PAGE]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not shown.stderr
    for command in COMMANDS:
        assert f"AUXIVA {command.upper()}" in shown.stdout
    assert "ffmpeg -i talk.mkv -f wav - | auxiva separate - -o out/ --stdin-name talk" in (
        shown.stdout
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_shown_at_work(command):
    shown = (page.read_text() for page in PAGES if page != make_reference.PAGE)
    assert any(f"auxiva {command} " in text for text in shown)


@pytest.mark.parametrize(("table", "kinds"), [(ERROR_TABLE, KINDS), (WARNING_TABLE, NOTICE_KINDS)])
def test_every_class_of_error_and_warning_has_its_cause_and_its_cure(table, kinds):
    explained = rows(table)
    assert explained.keys() == set(kinds)
    for cells in explained.values():
        assert len(cells) == 2
        assert all(cells)


def test_the_page_about_json_has_every_field(tmp_path):
    shown = CliRunner().invoke(
        cli, ["separate", f"{ROOT}/sample_audio/two_speakers_mix.wav", "-n", "1", "--json",
              "-o", f"{tmp_path}"],
    )  # fmt: skip
    record = json.loads(shown.stdout)
    explained = rows((ROOT / "docs" / "json.md").read_text())
    motion = Motion(np.ones(2)).as_dict()
    nested = record["settings"].keys() | record["check_up"].keys() | motion.keys()
    assert record.keys() | nested == explained.keys()


def test_the_readme_shows_what_the_command_says(clone, monkeypatch):
    monkeypatch.chdir(clone)
    shown = (
        CliRunner()
        .invoke(cli, ["separate", "sample_audio/two_speakers_mix.wav", "-o", "out/"])
        .stderr
    )
    (line,) = (block.code for block in blocks(README) if block.language == "text")
    figure = r"[−\d.]+"  # they differ from machine to machine
    assert re.sub(figure, "", shown) == re.sub(figure, "", line)


def test_the_house_is_drawn_as_it_stands():
    page = (ROOT / "docs" / "architecture.md").read_text()
    for name in re.findall(r"`([\w/]+\.py)`", page):
        assert list(PACKAGE.parent.glob(f"**/{name}")), name
    rooms = {path.stem for path in PACKAGE.iterdir() if not path.name.startswith("__")} - {"py"}
    drawn = set(re.findall(r"\w+", page.partition("## The house")[2].partition("* `bss/`")[0]))
    assert rooms <= drawn


def test_the_readme_is_short_and_its_picture_is_small():
    assert README.stat().st_size < LARGEST_README
    assert (ROOT / "docs" / "picture.png").stat().st_size < 200_000


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.skipif(shutil.which("bash") is None, reason="takes bash")
@pytest.mark.parametrize("word", ["sep", "comp"])
def test_bash_completes_what_was_begun(word):
    script = f"""
    source <(auxiva completion bash)
    COMP_WORDS=(auxiva {word}) COMP_CWORD=1
    _auxiva_completion auxiva
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    shown = subprocess.run(
        ["bash", "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert set(shown.stdout.split()) == {name for name in COMMANDS if name.startswith(word)}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script_of_their_own(shell):
    shown = CliRunner().invoke(cli, ["completion", shell])
    assert shown.exit_code == 0
    assert f"_AUXIVA_COMPLETE={shell}_complete" in shown.stdout
