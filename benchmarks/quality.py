"""Measure how well speakers are separated, against the peers and the best linear filter.

Writes ``QUALITY.md`` beside this file.  Speech comes from a folder of one-speaker recordings,
which are put into random rooms (``auxiva_cli.simulation``); recordings made elsewhere come from a
folder of ``{name}_mix.wav`` with ``{name}_refs.wav``, one channel a speaker.  Peers that are not
installed are left out, with the reason.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

from auxiva_cli import separate
from auxiva_cli.config import Model
from auxiva_cli.evaluation import si_bss_eval
from auxiva_cli.listening.stft import Stft
from auxiva_cli.simulation import Talk, simulate_room
from auxiva_cli.simulation.noise import NoiseKind
from benchmarks.mixtures import Example

Array = NDArray[Any]
RESULTS = Path(__file__).with_name("QUALITY.md")
STFT = Stft(4096, 1024, "hamming")  # of the paper, and of the peers
MARK = "<!-- measured -->"
HEADER = (
    "| | mixtures | SI-SDR, dB | over published | worse by over 1 dB | SI-SIR, dB | separated "
    "| seconds |"
)
ALL = Talk()
# What a mixture has to gain to count as separated, in dB.
SEPARATED = 3.0
PUBLISHED = "published: laplace, 4096, 50 iterations"


@dataclass(frozen=True)
class GroupedExample(Example):
    """An example, and what it is averaged together with.

    Attributes
    ----------
    group : str
        The name of the others and itself.
    """

    group: str


@dataclass(frozen=True)
class Group:
    """What simulated mixtures that are averaged together have in common.

    Attributes
    ----------
    name : str
        What the group is called in the tables.
    n_src : tuple of int
        Numbers of speakers, in turn.
    n_more : tuple of int
        Microphones beyond as many as speakers, in turn.
    talk : Talk
        Who talks when.
    rt60 : tuple of float, s, optional
        From where to where reverberation times are drawn, if not as usual.
    noise : {'white', 'fan', 'babble'}
    snr : float, dB
    sample_rate : int, Hz, optional
        If not that of the speech.
    """

    name: str
    n_src: tuple[int, ...]
    n_more: tuple[int, ...] = (0,)
    talk: Talk = ALL
    rt60: tuple[float, float] | None = None
    noise: NoiseKind = "white"
    snr: float = 25.0
    sample_rate: int | None = None


# The protocol of SMS-WSJ (arXiv 1910.13934) but for its speech: an array of 10 cm radius.
SMS_WSJ = partial(Group, n_src=(2,), talk=Talk(duration=6.5), rt60=(0.2, 0.5), sample_rate=8000)
GROUPS = (
    *(Group(f"{n_src} speakers, simulated", (n_src,)) for n_src in (2, 3, 4)),
    *(Group(f"{n_src} speakers, simulated", (n_src,)) for n_src in (6, 8)),
    Group("1 speaker, 2 to 4 microphones", (1,), n_more=(1, 2, 3)),
    Group("turns of a minute, 2 to 4 speakers", (2, 3, 4), talk=Talk("turns", duration=60)),
    Group("streams of a minute, 2 to 4 speakers", (2, 3, 4), talk=Talk("streams", duration=60)),
    Group("2 speakers, a minute", (2,), talk=Talk(duration=60), rt60=(0.4, 0.4)),
    Group("2 to 4 speakers, more microphones", (2, 3, 4), n_more=(1, 2, 3, 4), rt60=(0.25, 0.5)),
    Group("2 and 3 speakers, RT60 0.5 to 0.7 s", (2, 3), rt60=(0.5, 0.7)),
    *(
        Group(f"2 and 3 speakers, babble at {snr} dB", (2, 3), noise="babble", snr=snr)
        for snr in (0, 10, 20)
    ),
    SMS_WSJ("2 speakers, 6 microphones, as in SMS-WSJ", n_more=(4,)),
    SMS_WSJ("2 speakers, 2 microphones, as in SMS-WSJ"),
)


@dataclass(frozen=True)
class Result:
    """Means over the speakers of one mixture, in dB, and the time in seconds."""

    sdr: float
    sir: float
    gain: float
    seconds: float


Separator = Callable[[Example], Array]


def simulated(speech: Path, n_mixtures: int, seed: int) -> Iterator[GroupedExample]:
    """Put random speakers, each begun at a random sample, into random rooms."""
    paths = sorted(path for path in speech.iterdir() if path.suffix in {".wav", ".flac"})
    voices = [soundfile.read(path) for path in paths]
    n_samples = min(len(voice) for voice, _ in voices)
    for index, group in enumerate(GROUPS):
        for number in range(n_mixtures):
            own_seed = seed + 1000 * (index + 2) + number
            rng = np.random.default_rng(own_seed)
            n_src = group.n_src[number % len(group.n_src)]
            chosen = rng.choice(len(voices), n_src, replace=False)
            speech_rate = voices[0][1]
            rate = group.sample_rate or speech_rate
            speakers = [np.roll(voices[i][0], rng.integers(n_samples))[:n_samples] for i in chosen]
            scene = simulate_room(
                [resample_poly(speaker, rate, speech_rate) for speaker in speakers],
                sample_rate=rate,
                n_mics=n_src + group.n_more[number % len(group.n_more)],
                rt60=None if group.rt60 is None else rng.uniform(*group.rt60),
                talk=group.talk,
                noise=group.noise,
                snr=group.snr,
                seed=own_seed,
            )
            yield GroupedExample(
                f"{index}-{number}", scene.mixture, scene.references, rate, group.name
            )


def recorded(rooms: Path) -> Iterator[GroupedExample]:
    """Read the mixtures of a folder."""
    for path in sorted(rooms.glob("*_mix.wav")):
        mixture, sample_rate = soundfile.read(path, always_2d=True)
        references, _ = soundfile.read(
            path.with_name(path.name.replace("_mix", "_refs")), always_2d=True
        )
        group = "recordings of the folder"
        yield GroupedExample(path.stem, mixture.T, references.T, sample_rate, group)


def transform(waveform: Array, stft: Stft = STFT) -> Array:
    """Return the STFT, (n_frames, n_chan, n_freq)."""
    n_samples = waveform.shape[-1]
    start, stop = stft.span(0, stft.n_frames(n_samples))
    return stft.analyse(np.pad(waveform, ((0, 0), (-start, stop - n_samples))))


def transform_back(spectrum: Array, n_samples: int, stft: Stft = STFT) -> Array:
    """Return the waveform (n_chan, n_samples) of an STFT."""
    waveform, tail = stft.synthesise(spectrum)
    start = stft.n_fft - stft.hop_length
    return np.concatenate([waveform, tail], axis=-1)[:, start : start + n_samples]


def ours(model: Model, *, max_iter: int = 72, n_fft: int | None = None) -> Separator:
    """Return one of our models, with the window that suits the recording or a given one."""

    def run(example: Example) -> Array:
        found = separate(
            example.mixture,
            example.sample_rate,
            n_src=len(example.references),
            model=model,
            max_iter=max_iter,
            tol=0,
            n_fft=n_fft,
            ref_chan=0,
        )
        sources: Array = found.sources
        return sources

    return run


def best_linear_filter(example: Example, *, n_fft: int) -> Array:
    """Fit the references by one filter per frequency, least squares: the limit of all others."""
    stft, X_f, S_f = _by_frequency(example, n_fft)
    Y_f = X_f @ _least_squares(X_f, S_f)
    return transform_back(Y_f.transpose(1, 2, 0), example.mixture.shape[1], stft)


def other_half(example: Example, *, n_fft: int) -> Array:
    """Fit each half's filter on the other half: what a filter can know without the answer."""
    stft, X_f, S_f = _by_frequency(example, n_fft)
    first, second = slice(None, X_f.shape[1] // 2), slice(X_f.shape[1] // 2, None)
    parts = [
        X_f[:, here] @ _least_squares(X_f[:, there], S_f[:, there])
        for here, there in ((first, second), (second, first))
    ]
    Y_f = np.concatenate(parts, axis=1)
    return transform_back(Y_f.transpose(1, 2, 0), example.mixture.shape[1], stft)


def _by_frequency(example: Example, n_fft: int) -> tuple[Stft, Array, Array]:
    """Return the STFT of mixture and references, (n_freq, n_frames, n), and how it is made."""
    stft = Stft(n_fft, n_fft // 4, STFT.window)
    X, S = transform(example.mixture, stft), transform(example.references, stft)
    return stft, X.transpose(2, 0, 1), S.transpose(2, 0, 1)


def _least_squares(X: Array, S: Array) -> Array:
    """Return the filters (n_freq, n_chan, n_src) that fit S by X."""
    R = X.conj().swapaxes(1, 2) @ X
    G: Array = np.linalg.pinv(R, rcond=1e-11, hermitian=True) @ (X.conj().swapaxes(1, 2) @ S)
    return G


def pyroomacoustics(name: str, n_iter: int, **options: Any) -> Separator:
    """Return an algorithm of pyroomacoustics, on as many microphones as speakers."""

    def run(example: Example) -> Array:
        import pyroomacoustics.bss as bss

        n_src = len(example.references)
        X = transform(example.mixture[:n_src]).transpose(0, 2, 1)
        with np.errstate(all="ignore"):
            Y = getattr(bss, name)(np.ascontiguousarray(X), n_iter=n_iter, **options)
        return transform_back(Y.transpose(0, 2, 1), example.mixture.shape[1])

    return run


def ssspy_ipa(example: Example) -> Array:
    """Run AuxIVA-IPA of ssspy, on as many microphones as speakers."""
    from ssspy.bss.iva import AuxLaplaceIVA

    X = transform(example.mixture[: len(example.references)])
    iva = AuxLaplaceIVA(spatial_algorithm="IPA", record_loss=False)
    Y = iva(X.transpose(1, 2, 0), n_iter=50)
    return transform_back(Y.transpose(2, 0, 1), example.mixture.shape[1])


PEERS: dict[str, Separator] = {
    "pyroomacoustics AuxIVA, 50 iterations": pyroomacoustics("auxiva", 50),
    "pyroomacoustics ILRMA, 50": pyroomacoustics("ilrma", 50),
    "pyroomacoustics FastMNMF2, 50": pyroomacoustics("fastmnmf2", 50),
    "ssspy AuxIVA-IPA, 50": ssspy_ipa,
}
SEPARATORS: dict[str, Separator] = {
    PUBLISHED: ours("laplace", max_iter=50, n_fft=4096),
    "laplace, 8192": ours("laplace", n_fft=8192),
    "gauss, 8192": ours("gauss", n_fft=8192),
    "bands": ours("bands"),
    "auto, 4096": ours("auto", n_fft=4096),
    "**auto**": ours("auto"),
    **PEERS,
    "best linear filter, 4096": partial(best_linear_filter, n_fft=4096),
    "best linear filter, 8192": partial(best_linear_filter, n_fft=8192),
    "the same, learnt on the other half": partial(other_half, n_fft=8192),
}


def measure(separator: Separator, example: Example) -> Result:
    """Separate a mixture, and compare the outputs with the references."""
    begin = time.perf_counter()
    estimates = separator(example)
    seconds = time.perf_counter() - begin
    scores = si_bss_eval(example.references, estimates, example.mixture[0])
    return Result(
        sdr=float(np.mean(scores.sdr)),
        sir=float(np.mean(scores.sir)),
        gain=float(np.mean(scores.sdr_improvement)),
        seconds=seconds,
    )


def measure_all(
    examples: Sequence[GroupedExample], n_peers: int
) -> tuple[dict[str, list[Result | None]], dict[str, str]]:
    """Return the results of each separator, the peers' of the first of each group, and failures."""
    results: dict[str, list[Result | None]] = {name: [] for name in SEPARATORS}
    missing: dict[str, str] = {}
    seen: dict[str, int] = {}
    for example in examples:
        number = seen[example.group] = seen.get(example.group, 0) + 1
        for name, separator in SEPARATORS.items():
            result = None
            if name not in missing and (name not in PEERS or number <= n_peers):
                try:
                    result = measure(separator, example)
                except ImportError as error:
                    missing[name] = str(error)
            results[name].append(result)
    return results, missing


def table(examples: Sequence[GroupedExample], results: dict[str, list[Result | None]]) -> str:
    """Return one Markdown table for each group of mixtures."""
    parts = []
    for group in dict.fromkeys(example.group for example in examples):
        chosen = [i for i, example in enumerate(examples) if example.group == group]
        rows = [f"### {group}", "", HEADER, "|---" * HEADER.count(" |") + "|"]
        for name, measured in results.items():
            pairs = [(measured[i], results[PUBLISHED][i]) for i in chosen]
            both = [(own, published) for own, published in pairs if own and published]
            if both:
                rows.append(_row(name, *zip(*both, strict=True)))
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def _row(name: str, own: Sequence[Result], published: Sequence[Result]) -> str:
    """Return the row of one separator."""
    over = np.array([a.sdr - b.sdr for a, b in zip(own, published, strict=True)])
    cells = (
        name,
        f"{len(own)}",
        f"{np.mean([result.sdr for result in own]):.1f}",
        f"{over.mean():+.1f}",
        f"{np.sum(over < -1)}",
        f"{np.mean([result.sir for result in own]):.1f}",
        f"{np.mean([result.gain > SEPARATED for result in own]):.0%}",
        f"{np.mean([result.seconds for result in own]):.2f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Simulate, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speech", type=Path, help="folder of one-speaker recordings")
    parser.add_argument("--rooms", type=Path, help="folder of mixtures with their references")
    parser.add_argument("--mixtures", type=int, default=20, help="for each number of speakers")
    parser.add_argument("--peers", type=int, default=20, help="mixtures of each group for them")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    examples: list[GroupedExample] = []
    if arguments.speech:
        examples += simulated(arguments.speech, arguments.mixtures, arguments.seed)
    if arguments.rooms:
        examples += recorded(arguments.rooms)
    if not examples:
        parser.error("nothing to measure: give --speech or --rooms, or both")
    results, missing = measure_all(examples, arguments.peers)
    lines = [
        MARK,
        "",
        f"Seed {arguments.seed}, {platform.machine()}, NumPy {np.__version__}.",
        "",
        table(examples, results),
        *(f"\n{name}: left out, {reason}." for name, reason in missing.items()),
    ]
    head = RESULTS.read_text(encoding="utf-8").split(MARK)[0] if RESULTS.exists() else ""
    RESULTS.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
