"""No command writes what it reads, or one file twice, under whatever name."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import soundfile
from click.testing import CliRunner
from command_line import SAMPLE_RATE, contents, mixture

from auxiva_cli.cli.main import COMMANDS, cli
from auxiva_cli.cli.parameters import FileName, FilePath

# Every parameter that names a file or a directory; what is not here has not been thought about.
READS = {
    "separate": ["inputs", "files_from", "cluster", "settings", "activity_from", "references"],
    "apply": ["filters_file", "inputs", "files_from", "cluster", "references"],
    "info": ["inputs"],
    "evaluate": ["estimates", "references", "mixture", "activity"],
    "compare": ["mixture", "references"],
    "simulate": ["speech"],
}
WRITES = {
    "separate": ["output_dir", "save_filters"],
    "apply": ["output_dir"],
    "compare": ["output_dir"],
    "simulate": ["output_dir"],
}
PAIRS = [
    (command, read, write)
    for command, writes in WRITES.items()
    for read in READS[command]
    for write in writes
]
# What a command calls the first file in its directory, and the options that say so.
FIRST_OUTPUT = {
    "separate": ("a1.wav", ["--stem", "a", "--name-template", "{stem}{n}.{ext}"]),
    "apply": ("a1.wav", ["--stem", "a", "--name-template", "{stem}{n}.{ext}"]),
    "compare": ("compare.json", []),
    "simulate": ("ref_1.wav", []),
}


@pytest.fixture
def files(tmp_path):
    """Return good files of every kind, by the parameter that reads them."""
    made = {name: tmp_path / f"{name}.in" for names in READS.values() for name in names}
    for name in ("inputs", "mixture"):
        soundfile.write(made[name], mixture().T, SAMPLE_RATE, format="WAV")
    for name in ("references", "speech", "estimates"):
        soundfile.write(made[name], mixture()[0], SAMPLE_RATE, format="WAV")
    made["settings"].write_text('{"settings": {}}')
    made["activity_from"].write_text(
        "".join(f"SPEAKER a 1 0.{k} 1 <NA> <NA> {k} <NA> <NA>\n" for k in range(2))
    )
    made["cluster"].write_text('{"address": "tcp://127.0.0.1:1"}')
    made["files_from"].write_text(f"{made['inputs']}\n")
    seats = tmp_path / "learn"
    arguments = ["separate", "-n", "1", "--n-fft", "512", made["inputs"], "-o", seats]
    run([*arguments, "--save-filters", made["filters_file"], "-q"], 0)
    return made


def run(arguments, exit_code):
    result = CliRunner().invoke(cli, [os.fspath(argument) for argument in arguments])
    assert result.exit_code == exit_code, result.output
    return result


def arguments_for(command, files, read, path, directory):
    """Return a command line that reads ``path`` as one of its inputs."""
    named = files | {read: path}
    start = {
        "separate": [] if read == "files_from" else [named["inputs"]],
        "apply": [named["filters_file"], *([] if read == "files_from" else [named["inputs"]])],
        "compare": [named["mixture"], "--reference", named["references"]],
        "simulate": [named["speech"], files["references"]],
    }[command]
    if read == "files_from":
        start += ["--files-from", path]
    elif read in ("settings", "activity_from", "cluster"):
        start += [f"--{read.replace('_', '-')}", path]
    elif read == "references" and command in ("separate", "apply"):
        start += ["--report", "--reference", path]
    return [command, *start, "-o", directory, "--force"]


def test_every_file_that_an_option_names_is_known():
    for name in COMMANDS:
        command = cli.get_command(None, name)
        named = {
            parameter.name
            for parameter in command.params
            if isinstance(parameter.type, FileName | FilePath)
        }
        assert named == {*READS.get(name, []), *WRITES.get(name, [])}, name


@pytest.mark.parametrize("link", ["same", "symlink", "hardlink"])
@pytest.mark.parametrize(("command", "read", "write"), PAIRS)
def test_what_is_read_is_never_written(tmp_path, files, command, read, write, link):
    directory = tmp_path / "out"
    directory.mkdir()
    first, options = FIRST_OUTPUT[command]
    target = directory / (first if write == "output_dir" else "filters.npz")
    path = target
    if link == "same":
        target.write_bytes(files[read].read_bytes())
    else:
        path = files[read]
        target.symlink_to(path) if link == "symlink" else target.hardlink_to(path)
    before = contents(tmp_path)
    line = arguments_for(command, files, read, path, directory) + options
    if write == "save_filters":
        line += ["--save-filters", target]
    result = run(line, 2)
    assert "itself" in result.stderr
    assert contents(tmp_path) == before


def test_filters_do_not_take_the_place_of_an_output(tmp_path, files):
    out = tmp_path / "out"
    line = ["separate", files["inputs"], "-o", out, "--force", "--stem", "m"]
    result = run([*line, "--save-filters", out / "." / "m_src1.wav"], 2)
    assert "one name" in result.stderr
    assert not out.exists()


def test_a_file_on_a_standard_stream_is_known_by_itself(tmp_path, files):
    recording = tmp_path / "m_src1.wav"
    recording.write_bytes(files["inputs"].read_bytes())
    before = recording.read_bytes()

    with recording.open("rb") as stream:
        command = [sys.executable, "-m", "auxiva_cli", "separate", "-", "-o", tmp_path]
        shown = subprocess.run(
            [*command, "--force", "--stem", "m"], stdin=stream, capture_output=True, check=False
        )
    assert shown.returncode == 2
    assert b"itself" in shown.stderr
    assert recording.read_bytes() == before


@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_name_is_an_unset_variable(command, files):
    for name in (*READS.get(command, []), *WRITES.get(command, [])):
        parameter = next(p for p in cli.get_command(None, command).params if p.name == name)
        option = [] if parameter.param_type_name == "argument" else [parameter.opts[-1]]
        result = run([command, *option, ""], 2)
        assert "is a variable not set?" in result.stderr, (command, name)
