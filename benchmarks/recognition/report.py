"""RECOGNITION.md: its tables and its pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from auxiva_cli.comparison.picture import as_png, new_figure, tidy
from benchmarks.recognition.scores import Heard, estoi, sdr, word_error
from benchmarks.report import table, write_part
from benchmarks.scores import Scores

__all__ = ["write_report"]

# By kind of room and method.
Results = dict[str, dict[str, list[Heard]]]
Figure = Callable[[Sequence[Heard]], float]
# Of Okabe and Ito, which the colour-blind can tell apart.
COLOURS = (
    "#999999",
    "#000000",
    "#E69F00",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#009E73",
    "#0072B2",
)
BAR_WIDTH = 0.11


def write_report(
    scores: Scores[Heard],
    kinds: Mapping[str, Sequence[str]],
    methods: Sequence[str],
    name: str,
    folder: Path,
) -> None:
    """Write what has been scored so far; nothing before one mixture has been, by all methods.

    Parameters
    ----------
    scores : Scores
    kinds : mapping from str to sequence of str
        Kinds of rooms, in the order of the table, and what is tried on each; a kind without a
        mixture on which all of it was is left out.
    methods : sequence of str
        All of them in the order of the table, at most as many as ``COLOURS``.
    name : str
        Of the speech: the tables are the part of that name, the picture is called after it.
    folder : Path
        Where ``RECOGNITION.md`` stands.
    """
    common = {kind: scores.common(kind, tried) for kind, tried in kinds.items()}
    results = {kind: own for kind, own in common.items() if all(own.values())}
    if not results:
        return
    picture = f"recognition_{name}.png"
    parts = [
        f"![word error and ESTOI in each kind of room]({picture})\n",
        *(
            f"### {title}\n\n{_table(results, methods, figure, form)}"
            for title, figure, form in (
                ("Word error, %", word_error, "{:.1f}"),
                ("ESTOI", estoi, "{:.2f}"),
                ("SI-SDR, dB", sdr, "{:.1f}"),
            )
        ),
    ]
    write_part(name, "\n".join(parts), folder / "RECOGNITION.md")
    (folder / picture).write_bytes(_draw(results, methods))


def _table(results: Results, methods: Sequence[str], figure: Figure, form: str) -> str:
    """Return the table of one figure."""
    rows = []
    for kind, own in results.items():
        cells = [form.format(figure(own[method])) if method in own else "" for method in methods]
        rows.append([kind, f"{len(next(iter(own.values())))}", *cells])
    return table(("", "mixtures", *methods), rows)


def _draw(results: Results, methods: Sequence[str]) -> bytes:
    """Draw a bar for each method and kind of room: word error above, ESTOI below."""
    picture = new_figure(11, 6)
    upper, lower = picture.subplots(2, 1, sharex=True)
    for axes, figure, label in ((upper, word_error, "word error (%)"), (lower, estoi, "ESTOI")):
        for order, (method, colour) in enumerate(zip(methods, COLOURS, strict=False)):
            places = np.arange(len(results)) + BAR_WIDTH * (order - (len(methods) - 1) / 2)
            heights = [figure(own[method]) if method in own else 0 for own in results.values()]
            axes.bar(places, heights, BAR_WIDTH, color=colour, label=method)
        axes.set_ylabel(label)
        tidy(axes)
    lower.set_xticks(range(len(results)), [kind.replace(", ", ",\n") for kind in results])
    bars = upper.get_legend_handles_labels()
    picture.legend(*bars, loc="outside lower center", ncols=len(methods), frameon=False)
    return as_png(picture)
