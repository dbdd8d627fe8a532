"""Commands with many options: their help in groups, and their settings out of a JSON record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from auxiva_cli.cli.parameters import FILE

__all__ = ["GROUPS", "GroupedCommand", "settings_option"]

GROUPS = {
    "What to separate": (
        "recursive", "files_from", "nul", "array", "stdin_name", "max_duration", "audio_track",
        "allow_truncated", "nonfinite",
    ),
    "How many speakers, and which microphones": (
        "sources", "channels", "ref_channel", "resync",
    ),
    "What to write": (
        "output_dir", "container", "subtype", "name_template", "stem", "all_channels", "pick",
        "rest", "mask", "force", "skip_existing", "save_filters",
        "report", "report_audio", "references", "activity",
    ),
    "How to learn": (
        "settings", "learn_from", "learn_all", "activity_from", "motion", "dereverb",
        "algorithm", "step_size", "iterations", "tol", "model", "extra", "n_fft", "hop",
        "window", "max_memory",
    ),
    "Batches": ("jobs", "cluster", "threads", "fail_fast", "dry_run"),
    "What to show": ("as_json", "quiet", "verbose", "progress", "help"),
}  # fmt: skip
# The options that are called otherwise than the settings which they set.
OPTION_NAMES = {
    "n_src": "sources", "max_iter": "iterations", "hop_length": "hop", "ref_chan": "ref_channel",
}  # fmt: skip


class GroupedCommand(click.Command):
    """A command whose help shows its options in groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, group by group; those that are in none come last."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        params = {"help" if "--help" in each.opts else each.name or "": each for each in options}
        grouped = {name for names in GROUPS.values() for name in names}
        others = {"Others": tuple(name for name in params if name not in grouped)}
        for title, names in (GROUPS | others).items():
            records = [params[name].get_help_record(ctx) for name in names if name in params]
            if rows := [record for record in records if record is not None]:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _take_settings(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    """Make the settings of a record the defaults of the options."""
    if value is None:
        return None
    known = {param.name for param in ctx.command.params}
    defaults = {}
    for name, setting in _read_settings(value).items():
        option = OPTION_NAMES.get(name, name)
        if option not in known:
            raise click.BadParameter(f"{str(value)!r} has the unknown setting {name!r}.")
        if setting is not None:
            defaults[option] = _from_one(name, setting)
    ctx.default_map = {**(ctx.default_map or {}), **defaults}
    return value


def _from_one(name: str, setting: Any) -> Any:
    """Return a setting as its option takes it: channels are counted from 1."""
    if name == "ref_chan" and isinstance(setting, int):
        return setting + 1
    if name == "channels" and isinstance(setting, list):
        return ",".join(str(channel + 1) for channel in setting)
    return setting


def _read_settings(path: Path) -> dict[str, Any]:
    """Return the settings in a file: a record of ``--json``, the first of several."""
    try:
        with path.open(encoding="utf-8") as file:
            record = json.loads(file.readline() if path.suffix == ".jsonl" else file.read())
        settings: dict[str, Any] = record["settings"]
        return dict(settings)
    except OSError as error:
        raise click.BadParameter(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise click.BadParameter(
            f"{str(path)!r} holds no record of 'auxiva separate --json'."
        ) from error


settings_option = click.option(
    "--settings", type=FILE, metavar="RECORD.json", is_eager=True, callback=_take_settings,
    help="Take the settings of a record that --json printed; other options still count.",
)  # fmt: skip
