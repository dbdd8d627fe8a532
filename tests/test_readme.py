"""What the README says of the program is what the program does."""

from __future__ import annotations

import re

import pytest
from readme_reference import README, renewed

from auxiva_cli.cli.main import COMMANDS
from auxiva_cli.errors import KINDS, NOTICE_KINDS

TEXT = README.read_text()


def test_the_command_reference_is_what_help_says():
    assert renewed(TEXT) == TEXT, "make readme renews it"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_shown_at_work(command):
    assert f"auxiva {command} " in TEXT.partition("## Command reference")[0]


@pytest.mark.parametrize("kind", [*KINDS, *NOTICE_KINDS])
def test_every_class_of_error_and_warning_is_explained(kind):
    assert re.search(rf"^\| `{kind}` \| \S.*\|$", TEXT, flags=re.MULTILINE)


def test_no_class_is_explained_that_does_not_exist():
    shown = set(re.findall(r"^\| `([a-z]+(?:-[a-z]+)*)` \|", TEXT, flags=re.MULTILINE))
    fields = {"input", "status", "error", "warnings", "gain", "stages", "settings"}
    assert shown - fields <= {*KINDS, *NOTICE_KINDS}
