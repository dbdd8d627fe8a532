"""Compare the speed with the peers', and write the tables into RESULTS.md."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.command import measure_command
from benchmarks.comparison import Comparison, compare, fastest_threads
from benchmarks.contenders import CONTENDERS
from benchmarks.mixtures import find_example, lasting
from benchmarks.report import describe_machine, table, write_part
from benchmarks.scaling import CHANNELS, SECONDS, measure_scaling

SECONDS_COMPARED = 15
CHANNELS_COMPARED = (2, 3, 4, 6)
OURS = {"auxiva": 1, "auxiva-1": 1}  # its threads are not those of its linear algebra
PEERS = ("ssspy-ipa", "ssspy-ip2", "pyroomacoustics", "torchiva-ip", "torchiva-iss")
# Who is judged, after as many iterations as it takes to settle.
SETTLED = {"ssspy-ip2": 50, "pyroomacoustics": 100, "torchiva-ip": 100, "torchiva-iss": 100}
EXACT = {"auxiva": 50, "ssspy-ipa": 50}
TRACED = {2: EXACT, 3: EXACT | SETTLED, 4: EXACT | SETTLED, 6: {}}  # at 6 it takes minutes
N_ROUNDS = 3
MILLISECONDS_WANTED = {2: 4, 3: 10, 4: 20, 6: 70}


def main() -> None:
    """Measure everything and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rooms", type=Path, metavar="DIR", help="folder of {name}_mix.wav and {name}_refs.wav"
    )
    rooms = parser.parse_args().rooms
    examples = {
        n_chan: lasting(find_example(n_chan, rooms), SECONDS_COMPARED)
        for n_chan in CHANNELS_COMPARED
    }
    parts = [
        "# How fast it is\n\nHow everything is measured: [README.md](README.md). ",
        "`make bench` measures this part again.\n\n",
        describe_machine(),
    ]
    comparisons = []
    for n_chan, example in examples.items():
        say(f"comparing on {n_chan} channels")
        n_threads = OURS | fastest_threads(PEERS, example)
        comparisons.append(compare(example, n_threads, TRACED[n_chan], n_rounds=N_ROUNDS))
    say("timing the command")
    seconds = measure_command(examples[4])
    say("timing longer recordings and more channels")
    milliseconds = measure_scaling()
    parts += [
        iteration_part(comparisons),
        separation_part(comparisons[1:3]),
        command_part(seconds),
        scaling_part(milliseconds),
    ]
    write_part("speed", "".join(parts))


def say(text: str) -> None:
    """Tell how far it is, and the time."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr)


def iteration_part(comparisons: Sequence[Comparison]) -> str:
    """Describe the time per iteration."""
    header = ["", *(f"{len(c.example.mixture)} ch" for c in comparisons)]
    ran = [name for name in (*OURS, *PEERS) if name not in comparisons[0].unavailable]
    times = [
        ["*wanted*", *(f"*{MILLISECONDS_WANTED[len(c.example.mixture)]}*" for c in comparisons)]
    ]
    for name in ran:
        label = CONTENDERS[name].label
        if name.startswith("auxiva"):
            row = [f"{median(c.first[name]):.1f}" for c in comparisons]
            times.append([f"{label}, first ten", *row])
            label += ", from the 11th"
        times.append([label, *(f"{median(c.later[name]):.1f}" for c in comparisons)])
    slower = [
        [
            CONTENDERS[name].label,
            *(
                f"{c.ratio(name, later=False):.1f} · {c.ratio(name, later=True):.1f}"
                for c in comparisons
            ),
        ]
        for name in ran
        if name != "auxiva"
    ]
    separated = [
        [
            f"{c.example.name}, {len(c.example.mixture)} ch",
            f"{c.traces['auxiva'][0, -1]:.0f}",
            *(f"{c.si_sdr[name]:.2f}" if name in c.si_sdr else "" for name in EXACT),
        ]
        for c in comparisons
        if c.traces
    ]
    missing = "".join(
        f"\n{CONTENDERS[name].label} is left out: {reason}.\n"
        for name, reason in comparisons[0].unavailable.items()
    )
    threaded = [
        f"{CONTENDERS[name].label} at {len(c.example.mixture)} ch"
        for name in ran
        for c in comparisons
        if c.n_threads[name] is None
    ]
    return (
        f"\n## Time per iteration\n\nMilliseconds, {SECONDS_COMPARED} s at 16 kHz, 4096/1024, "
        f"Laplace model; medians of {N_ROUNDS} alternating runs.\n\n{table(header, times)}"
        "\nHow many times longer an iteration takes than ours, run by run: "
        f"against our first ten · against our later ones.\n\n{table(header, slower)}"
        "\nPeers run with one BLAS thread where that is quicker than their own choice, which was "
        f"quicker for: {', '.join(threaded) or 'none'}.\n"
        f"{missing}"
        "\nThe same algorithm has to give the same separation: mean SI-SDR in dB.\n\n"
        f"{table(['', 'iterations', *(CONTENDERS[name].label for name in EXACT)], separated)}"
    )


def separation_part(comparisons: Sequence[Comparison]) -> str:
    """Describe the time to separation."""
    text = (
        "\n## Time to separation\n\nUntil the mean SI-SIR stays within 0.5 dB of its last value.\n"
    )
    for c in comparisons:
        reached = {name: c.to_separation(name) for name in c.traces}
        _, ours = reached["auxiva"]
        rows = [
            [
                CONTENDERS[name].label,
                f"{n_iter:.0f}",
                f"{seconds:.2f}",
                f"{seconds / ours:.1f}",
                f"{c.traces[name][1, -1]:.1f}",
                f"{c.si_sdr[name]:.1f}",
            ]
            for name, (n_iter, seconds) in reached.items()
        ]
        header = ["", "iterations", "s", "times ours", "last SI-SIR, dB", "SI-SDR, dB"]
        text += f"\n{c.example.name}, {len(c.example.mixture)} speakers:\n\n{table(header, rows)}"
    return text


def command_part(seconds: dict[str, float]) -> str:
    """Describe the wall time of the command."""
    rows = [[name, f"{wall:.2f}"] for name, wall in seconds.items()]
    return (
        "\n## The command\n\nWall time from process start to exit, "
        f"{SECONDS_COMPARED} s, 4 channels, 30 iterations; medians of alternating runs.\n\n"
        f"{table(['', 's'], rows)}"
    )


def scaling_part(milliseconds: dict[tuple[int, int], float]) -> str:
    """Describe how the time per iteration grows."""
    rows = [
        [f"{n_chan} ch", *(f"{milliseconds[n_chan, s]:.1f}" for s in SECONDS)]
        for n_chan in CHANNELS
    ]
    return (
        "\n## Channels and durations\n\nMilliseconds per iteration from the 11th, "
        "the sample that is learnt from in memory.\n\n"
        f"{table(['', *(f'{s} s' for s in SECONDS)], rows)}"
    )


if __name__ == "__main__":
    main()
