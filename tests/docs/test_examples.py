"""What the documentation shows runs as it stands, in sequence."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess

import pytest
from pages import ENVIRONMENT, PAGES, ROOT, blocks, commands

NEEDED = ("bash", "ffmpeg")
DASK = re.compile(r"^dask ", flags=re.MULTILINE)
LANGUAGES = {"sh", "python", "json", "text"}


@pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason=f"takes {' and '.join(NEEDED)}")
@pytest.mark.parametrize("page", [*filter(commands, PAGES)], ids=lambda page: page.name)
def test_the_commands_of_a_page_run_one_after_the_other(page, clone):
    script = "\n".join(["set -euo pipefail", "set -v", *commands(page)])
    if DASK.search(script) and shutil.which("dask", path=ENVIRONMENT["PATH"]) is None:
        pytest.skip("takes auxiva[cluster]")
    shown = subprocess.run(
        ["bash", "-c", script],
        cwd=clone,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert shown.returncode == 0, shown.stderr[-3000:]


@pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason=f"takes {' and '.join(NEEDED)}")
def test_who_said_what_is_understood(clone):
    pytest.importorskip("pocketsphinx", reason="takes pocketsphinx")
    page = ROOT / "docs" / "recognise.md"
    (last,) = (own.code for own in blocks(page) if own.reason and "pocketsphinx" in own.reason)
    shown = subprocess.run(
        ["bash", "-c", "\n".join(["set -euo pipefail", *commands(page)[:2], last])],
        cwd=clone,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert "speaker2: call me ishmael\n" in shown.stdout
    assert "speaker1: it is a truth universally acknowledged\n" in shown.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples_give_what_they_show(page, clone, monkeypatch):
    monkeypatch.chdir(clone)
    code = "\n".join(block.code for block in blocks(page) if block.language == "python")
    test = doctest.DocTestParser().get_doctest(code, {}, page.name, os.fspath(page), 0)
    assert bool(test.examples) == bool(code), "examples begin with >>>"
    assert not doctest.DocTestRunner().run(test).failed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_hides_in_a_block_that_is_not_run(page):
    assert page.read_text().count("\n```") == 2 * len(blocks(page))
    for block in blocks(page):
        assert block.language in LANGUAGES
        if block.language == "text":
            assert not block.code.startswith(("$ ", "auxiva "))
