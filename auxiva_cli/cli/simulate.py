"""``auxiva simulate``: a mixture of speakers in a room, and its references."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auxiva_cli.cli.console import display_name, say
from auxiva_cli.cli.parameters import FILE, LEVEL, WALK
from auxiva_cli.cli.recordings import common_sample_rate, open_all
from auxiva_cli.cli.wording import counted
from auxiva_cli.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from auxiva_cli.audio import Recording
    from auxiva_cli.simulation import Scene, TalkKind


JSON_VERSION = 1


@click.command("simulate", short_help="Make a mixture and its references from speech.")
@click.argument("speech", nargs=-1, required=True, type=FILE, metavar="SPEECH...")
@click.option(
    "-o",
    "--output-dir",
    required=True,
    type=FILE,
    metavar="DIR",
    help="Where to write; made if missing.",
)
@click.option(
    "--mics",
    "n_mics",
    type=click.IntRange(2),
    metavar="N",
    help="Number of microphones.  [default: as many as speakers, at least 2]",
)
@click.option(
    "--rt60",
    type=click.FloatRange(0.1, 1.0),
    metavar="SECONDS",
    help="Reverberation time, 0.1 to 1 s.  [default: drawn from 0.15 to 0.35]",
)
@click.option(
    "--talk",
    type=click.Choice(["all", "turns", "streams"]),
    default="all",
    show_default=True,
    help="Everybody all the time; in turns of 1.5 to 5 s; or each in such turns of his own.",
)
@click.option(
    "--duration",
    type=click.FloatRange(0.0, min_open=True),
    metavar="SECONDS",
    help="Length of the mixture; speech begins again where it does not last.  "
    "[default: as long as the longest]",
)
@click.option(
    "--lead",
    type=click.FloatRange(0.0),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Noise alone, before anybody talks.",
)
@click.option(
    "--level",
    "levels",
    type=LEVEL,
    multiple=True,
    metavar="N:DB",
    help="Power of speaker N while he talks, relative to the others; 2:-6.  Repeatable.",
)
@click.option(
    "--walk",
    "walks",
    type=WALK,
    multiple=True,
    metavar="N:METRES[@START-END]",
    help="Speaker N walks so far, from START to END or all the time; 2:1.5m@10-20.  Repeatable.",
)
@click.option(
    "--noise",
    type=click.Choice(["white", "fan", "babble"]),
    default="white",
    show_default=True,
    help="Each microphone's own; low-passed, from one place; or a crowd all around, with the "
    "voices of SPEECH backwards.",
)
@click.option(
    "--snr",
    type=float,
    default=25.0,
    show_default=True,
    metavar="DB",
    help="Power of all speakers while anybody talks, over that of the noise, at the first "
    "microphone.",
)
@click.option(
    "--array",
    type=click.Choice(["circular", "linear"]),
    default="circular",
    show_default=True,
    help="How the microphones stand.",
)
@click.option(
    "--spacing",
    type=click.FloatRange(0.0, min_open=True),
    default=0.1,
    show_default=True,
    metavar="METRES",
    help="Distance between neighbouring microphones.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="N",
    default=0,
    show_default=True,
    help="The same seed gives the same room, positions, turns and noise.",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
def command(speech: tuple[Path, ...], output_dir: Path, force: bool, **settings: Any) -> None:
    """Simulate speakers in a room, one per mono file of SPEECH.

    Writes mix.wav with a channel for every microphone, ref_1.wav, ref_2.wav, ... with each
    speaker alone as the first microphone hears it, and scene.json with all about the room
    and the turns.  The references and the noise sum to the first channel of the mixture.

    Room, array and speakers are placed at random, by the protocol of the AuxIVA-IPA paper:
    rooms of 6 to 10 m by 6 to 10 m by 2.8 to 4.5 m, speakers beyond the critical distance
    and, unless --level says otherwise, of equal power at the first microphone.
    """
    from auxiva_cli.audio import check_files, check_targets, prepare_directory, write_file

    for option in ("levels", "walks"):
        _check_speakers(settings[option], len(speech))
    paths = [output_dir / name for name in ("mix.wav", *_reference_names(len(speech)))]
    description_file = output_dir / "scene.json"
    check_files(reads=speech, writes=[*paths, description_file])
    check_targets([*paths, description_file], overwrite=force)
    with ExitStack() as stack:
        recordings = open_all(stack, speech)
        sample_rate = common_sample_rate(recordings)
        signals = [_read_mono(recording) for recording in recordings]
    prepare_directory(output_dir)
    scene = _simulate(signals, sample_rate, **settings)
    _write(scene, paths, overwrite=force)
    description = _describe(scene, [str(path) for path in speech], settings)
    content = json.dumps(description, indent=2).encode() + b"\n"
    write_file(description_file, content, overwrite=force)
    say(
        f"auxiva: {counted(len(scene.references), 'speaker')}, "
        f"{counted(len(scene.mixture), 'microphone')}, "
        f"RT60 {1000 * scene.rt60_measured:.0f} ms: {display_name(str(output_dir))}"
    )


def _check_speakers(of_speakers: Sequence[tuple[Any, ...]], n_src: int) -> None:
    """Refuse figures of a speaker who is not there."""
    for n, *_ in of_speakers:
        if n > n_src:
            raise click.UsageError(f"There is no speaker {n} of {n_src}.")


def _simulate(
    signals: list[NDArray[Any]],
    sample_rate: int,
    *,
    talk: TalkKind,
    duration: float | None,
    lead: float,
    levels: Sequence[tuple[int, float]],
    walks: Sequence[tuple[int, float, tuple[float, float] | None]],
    **settings: Any,
) -> Scene:
    """Make the scene of the options."""
    from auxiva_cli.simulation import Talk, Walk, simulate_room

    of_speakers = dict(levels)
    return simulate_room(
        signals,
        sample_rate=sample_rate,
        talk=Talk(talk, duration=duration, lead=lead),
        levels=[of_speakers.get(n, 0.0) for n in range(1, len(signals) + 1)],
        walks={n - 1: Walk(metres, *(when or ())) for n, metres, when in walks},
        **settings,
    )


def _reference_names(n_src: int) -> list[str]:
    """Return the names of the references."""
    return [f"ref_{n}.wav" for n in range(1, n_src + 1)]


def _read_mono(recording: Recording) -> NDArray[Any]:
    """Return the samples of a speaker's recording."""
    if recording.n_chan != 1:
        raise RecordingError(
            f"{display_name(recording.name)} has {recording.n_chan} channels, speech must have one",
            hint="Extract the channel with the speaker first.",
            kind="unsupported",
        )
    samples: NDArray[Any] = recording.read(0, recording.n_samples)[0]
    return samples


def _write(scene: Scene, paths: list[Path], *, overwrite: bool) -> None:
    """Write mixture and references as float, which keeps their sum."""
    from auxiva_cli.audio import OutputFormat, open_outputs

    n_chan, n_samples = scene.mixture.shape
    mixture = OutputFormat(scene.sample_rate, n_chan, n_samples, subtype="FLOAT")
    reference = OutputFormat(scene.sample_rate, 1, n_samples, subtype="FLOAT")
    with (
        open_outputs(paths[:1], mixture, overwrite=overwrite) as mixture_file,
        open_outputs(paths[1:], reference, overwrite=overwrite) as reference_files,
    ):
        mixture_file.write(scene.mixture[None])
        reference_files.write(scene.references[:, None])
        mixture_file.commit()
        reference_files.commit()


def _describe(scene: Scene, speech: list[str], settings: dict[str, Any]) -> dict[str, Any]:
    """Return what ``scene.json`` says: enough to make the scene again, and who talks when."""
    same = ("seed", "talk", "duration", "lead", "noise", "snr", "array", "spacing")
    return {
        "version": JSON_VERSION,
        "speech": speech,
        "sample_rate": scene.sample_rate,
        **{name: settings[name] for name in same},
        "levels": dict(settings["levels"]),
        "walks": {
            n: {"distance": metres, "when": when, "path": scene.paths[n - 1].tolist()}
            for n, metres, when in settings["walks"]
        },
        "turns": [
            [[start / scene.sample_rate, stop / scene.sample_rate] for start, stop in turns]
            for turns in scene.turns
        ],
        "rt60": scene.room.rt60,
        "rt60_measured": scene.rt60_measured,
        "room": scene.room.size.tolist(),
        "microphones": scene.room.microphones.tolist(),
        "speakers": scene.room.speakers.tolist(),
        "critical_distance": scene.room.critical_distance,
    }
