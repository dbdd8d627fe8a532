"""What people expect of a command: where outputs go, what is remembered, what is understood."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from command_line import QUICK, contents, records, separate

from auxiva_cli.cli.grouped import GROUPS
from auxiva_cli.cli.main import COMMANDS, SYNONYMS, cli
from auxiva_cli.cli.separate import command


def run(*arguments, **kwargs):
    return CliRunner().invoke(cli, [*map(str, arguments)], prog_name="auxiva", **kwargs)


def test_without_a_directory_outputs_go_beside_each_recording(record, tmp_path):
    talks = [record("a/talk.wav"), record("b/more.flac", seed=1)]
    assert separate(*talks).exit_code == 0
    assert sorted(name for name in contents(tmp_path) if "_src" in name) == [
        f"{directory}/{stem}_separated/{stem}_src{n}.wav"
        for directory, stem in (("a", "talk"), ("b", "more"))
        for n in (1, 2)
    ]


def test_a_search_passes_over_what_was_separated_beside_a_recording(record, tmp_path, out):
    separate(record("tree/talk.wav"))
    result = separate(tmp_path / "tree", "--recursive", "-o", out, "--json")
    assert list(records(result.stdout)) == [f"{tmp_path}/tree/talk.wav"]


@pytest.mark.parametrize("arguments", [["-"], ["."], ["--array", "a.wav", "b.wav"],
                                       ["--files-from", "list"]])  # fmt: skip
def test_what_is_not_named_as_a_file_wants_a_directory(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list").write_text("a.wav\n")
    before = contents(tmp_path)
    result = separate(*arguments)
    assert result.exit_code == 2
    assert "bad-parameter: -o is needed, unless every recording is named" in result.stderr
    assert contents(tmp_path) == before


def test_every_option_of_separate_is_in_one_group_of_its_help():
    grouped = [name for names in GROUPS.values() for name in names]
    assert len(grouped) == len(set(grouped))
    params = {param.name for param in command.params if param.param_type_name == "option"}
    assert params <= set(grouped)
    shown = run("separate", "--help").stdout
    assert [line[:-1] for line in shown.splitlines() if line[:-1] in GROUPS] == list(GROUPS)
    assert "Others:" not in shown


def test_the_settings_of_a_record_give_the_same_outputs(record, tmp_path, out):
    talk = record(n_chan=3)
    chosen = [
        "--sources",
        2,
        "--ref-channel",
        2,
        "--channels",
        "1-3",
        "--hop",
        64,
        "--model",
        "laplace",
    ]
    first = separate(talk, "-o", out, "--json", *chosen)
    (tmp_path / "record.json").write_text(first.stdout)
    again = run("separate", talk, "-o", tmp_path / "again", "--json",
                "--settings", tmp_path / "record.json")  # fmt: skip
    assert again.exit_code == 0, again.stderr
    settings = [json.loads(result.stdout)["settings"] for result in (first, again)]
    assert settings[0] == settings[1]
    assert contents(tmp_path / "again") == contents(out)


def test_options_count_more_than_the_settings_of_a_record(record, tmp_path, out):
    talk = record()
    (tmp_path / "record.json").write_text(separate(talk, "-o", out, "--json").stdout)
    result = separate(talk, "-o", tmp_path / "b", "--settings", tmp_path / "record.json",
                      "-n", 2, "--json")  # fmt: skip
    assert json.loads(result.stdout)["settings"]["max_iter"] == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "holds no record"), ("[]", "holds no record"), ('{"settings": 1}', "holds no record"),
     ('{"settings": {"speed": 1}}', "has the unknown setting 'speed'"),
     ('{"settings": {"n_src": "many"}}', "'many' is no number of speakers"),
     (None, "cannot be read: No such file")],
)  # fmt: skip
def test_settings_that_are_none_are_refused(record, tmp_path, out, content, words):
    path = tmp_path / "record.json"
    if content is not None:
        path.write_text(content)
    result = separate(record(), "-o", out, "--settings", path)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not out.exists()


def test_the_environment_sets_defaults(record, out):
    environment = {"AUXIVA_SEPARATE_MODEL": "laplace", "AUXIVA_SEPARATE_PICK": "2"}
    result = run("separate", record(), "-o", out, "--json", *QUICK, env=environment)
    assert json.loads(result.stdout)["settings"]["model"] == "laplace"
    assert list(contents(out)) == ["talk_src2.wav"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["seperate", "mix.wav"], "No such command 'seperate'. Did you mean 'separate'?"),
        (["mix.wav", "-s", "2"], "Did you mean 'auxiva separate mix.wav -s 2'?"),
        (["zzz"], "No such command 'zzz'. See auxiva --help."),
        (["separate", "--speakers", "2"], "No such option '--speakers'. Did you mean --sources?"),
        (["separate", "--source", "2"], "Did you mean --sources?"),
        (["separate", "--zzz"], "A file whose name begins with a dash is written ./-name."),
    ],
)
def test_what_was_probably_meant_is_said(arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_synonyms_lead_to_options():
    options = {option for param in command.params for option in param.opts}
    assert set(SYNONYMS.values()) <= options
    assert options.isdisjoint(SYNONYMS)
    assert "separate" in COMMANDS


def test_collisions_name_the_recordings_once(record, out):
    talks = [record(f"room{k}/mix.wav", seed=k) for k in range(4)]
    result = separate(*talks, "-o", out)
    assert result.exit_code == 2
    named = ", ".join(repr(str(talk)) for talk in talks[:3])
    assert f"one name: {named} and 1 more would give 'mix_src1.wav'. " in result.stderr
    assert result.stderr.count("room0") == 1
    apart = separate(*talks, "-o", out, "--name-template", "{parent}_{stem}{n}.wav")
    assert apart.exit_code == 0
    assert sorted(contents(out)) == [f"room{k}_mix{n}.wav" for k in range(4) for n in (1, 2)]


def test_a_recording_named_twice_is_told(record, out):
    talk = record()
    assert f"{str(talk)!r} is named 2 times" in separate(talk, talk, "-o", out).stderr


def test_outputs_that_exist_are_told_with_the_ways_out(record, out):
    talk = record()
    separate(talk, "-o", out)
    shown = separate(talk, "-o", out).stderr
    assert "/talk_src2.wav' exist already. " in shown
    assert "--force overwrites, --skip-existing goes on with the others." in shown
