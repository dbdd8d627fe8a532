"""Draw docs/picture.png: what one microphone heard of three speakers, and what came out of it."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib
import numpy as np
import soundfile
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from auxiva_cli import separate

matplotlib.use("Agg")

FOLDER = Path(__file__).parent
MIXTURE = FOLDER.parent / "sample_audio" / "three_speakers_mix.wav"
BACKGROUND, TEXT = "#10131a", "#e8e8e8"
# Colours of Okabe and Ito, which the colour-blind can tell apart.
COLOURS = ("#a8b0c0", "#F5A700", "#56B4E9", "#2fd6a0")
N_FFT, HOP_LENGTH = 1024, 128
START, END = 1.0, 6.0  # seconds shown
HIGHEST_HZ = 4000
RANGE_DB = 50
# Few colours make a small file.
N_LEVELS, N_COLOURS = 16, 96


def spectrogram(waveform: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the level of each frequency in each frame, in dB, (n_freq, n_frames)."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform, N_FFT)[::HOP_LENGTH]
    power = np.abs(np.fft.rfft(frames * np.hanning(N_FFT))) ** 2
    return 10 * np.log10(power.T + 1e-12)


def show(axes: Axes, levels: NDArray[np.floating], top: float, title: str, colour: str) -> None:
    """Show a spectrogram in one colour on black."""
    colours = LinearSegmentedColormap.from_list(
        title, [(0, BACKGROUND), (0.65, colour), (1, "white")], N_LEVELS
    )
    axes.imshow(
        levels,
        aspect="auto",
        origin="lower",
        extent=(0, END - START, 0, HIGHEST_HZ / 1000),
        cmap=colours,
        vmin=top - RANGE_DB,
        vmax=top,
        interpolation="bilinear",
    )
    axes.set_title(title, loc="left", color=colour, fontsize=12, fontweight="bold", pad=5)
    axes.tick_params(colors=TEXT, labelsize=8, length=0)
    axes.set_facecolor(BACKGROUND)
    axes.set_yticks([0, 1, 2, 3, 4])
    for spine in axes.spines.values():
        spine.set_visible(False)


def main() -> None:
    """Separate the sample, draw it, and write the picture."""
    samples, sample_rate = soundfile.read(MIXTURE)
    sources = separate(samples.T, sample_rate).sources
    shown = slice(round(START * sample_rate), round(END * sample_rate))
    n_freq = round(HIGHEST_HZ / sample_rate * N_FFT)
    levels = [spectrogram(wave[shown])[:n_freq] for wave in (samples[:, 0], *sources)]
    top = float(np.percentile(levels[0], 99.9))
    titles = ("the microphone", *(f"speaker {n}" for n in range(1, len(sources) + 1)))

    figure = Figure(figsize=(10, 5.4), facecolor=BACKGROUND, layout="constrained")
    grid = figure.subplots(2, 2, sharex=True, sharey=True)
    for axes, level, title, colour in zip(grid.flat, levels, titles, COLOURS, strict=True):
        show(axes, level, top, title, colour)
    for axes in grid[:, 0]:
        axes.set_ylabel("kHz", color=TEXT, fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("seconds", color=TEXT, fontsize=8)

    content = io.BytesIO()
    figure.savefig(content, dpi=100)
    image = Image.open(content).convert("RGB")
    image = image.quantize(N_COLOURS, kmeans=5, dither=Image.Dither.NONE)
    image.save(FOLDER / "picture.png", optimize=True)


if __name__ == "__main__":
    main()
