"""Settings of a separation: every default once, checked against each other.

Imports nothing numerical: the command line reads its defaults from here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral, Real
from typing import Literal, get_args

from auxiva_cli.errors import ParameterError

__all__ = [
    "ALGORITHMS",
    "AUTO",
    "DEFAULT_STEP_SIZE",
    "FOLLOWING",
    "LOUDEST",
    "MODELS",
    "MOST_THREADS",
    "Algorithm",
    "Following",
    "Model",
    "Settings",
    "StagePlan",
    "Window",
    "check_whole",
]

Algorithm = Literal["ipa", "ip2", "iss2", "ip", "iss", "gradient"]
Model = Literal["auto", "laplace", "gauss", "bands"]
Window = Literal["hann", "hamming"]
Following = Literal["auto", "off", "on"]
ALGORITHMS: tuple[str, ...] = get_args(Algorithm)
MODELS: tuple[str, ...] = get_args(Model)
WINDOWS: tuple[str, ...] = get_args(Window)
FOLLOWING: tuple[str, ...] = get_args(Following)
DEFAULT_STEP_SIZE = 0.3
LARGEST_STEP_SIZE = 10.0
# More than any machine has processors for, and few enough to be started.
MOST_THREADS = 1024
# Instead of a reference channel: each source at the microphone where it is loudest.
LOUDEST: Literal["loudest"] = "loudest"
# Instead of a number of sources: as many as speak.
AUTO: Literal["auto"] = "auto"
# The settings that may be a word instead of a number.
WORDS = {"n_src": AUTO, "ref_chan": LOUDEST}
# The whole numbers among the settings, and where they begin.
LOWEST = {"n_src": 1, "max_iter": 0, "n_fft": 4, "hop_length": 1, "ref_chan": 0, "max_memory": 1}


def check_whole(name: str, value: object, *, lowest: int, highest: int | None = None) -> None:
    """Refuse a parameter that is not a whole number within its range.

    Raises
    ------
    ParameterError
        With the name of the parameter and its value.
    """
    within = f"at least {lowest}" if highest is None else f"from {lowest} to {highest}"
    if (
        not isinstance(value, Integral)
        or isinstance(value, bool)
        or int(value) < lowest
        or (highest is not None and int(value) > highest)
    ):
        raise ParameterError(f"{name}={value!r} must be a whole number, {within}")


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage of a schedule.

    Attributes
    ----------
    model : {'laplace', 'gauss', 'bands', 'spread', 'guided', 'given'}
        Source model; ``spread`` separates all frequencies by when, and in which bands, the sources
        speak in some of them, ``guided`` the low ones by when the sources speak above, ``given``
        all by when the sources are known to speak.
    share : int
        Its share of the iterations, relative to the other stages'; of ``given`` their number.
    n_cells : int
        For ``bands``: cells on the mel scale.
    starts : int
        From how many starts a comb of the frequencies is separated, of which the best goes on;
        with none all frequencies are.  Where these are few, all are, from one.
    repair : bool
        Whether swapped blocks of frequencies are repaired first.
    widen : bool
        Whether there are outputs for what belongs to no source, where channels allow it.
    tie : bool
        Whether the bands are tied to each other, as far as the sources so far suggest.
    """

    model: Literal["laplace", "gauss", "bands", "spread", "guided", "given"]
    share: int
    n_cells: int = 0
    starts: int = 0
    repair: bool = False
    widen: bool = False
    tie: bool = False

    @property
    def name(self) -> str:
        """The name that is shown."""
        model = "tied" if self.tie else self.model
        return f"{model}-{self.n_cells}" if self.n_cells else model


# Coarse to fine: the full band finds the rough order of the speakers, narrower and narrower
# bands pull blocks of frequencies that went to the wrong one back to their neighbours.  All four
# starts go through all of them: with two left half-way, 5 of 88 mixtures of three and four
# speakers lose 1 to 9 dB.  Once the order stands all frequencies follow it, the low ones once
# more, and bands of a few frequencies fit each of them best: one by one where all talk all the
# time, tied to each other in a conversation.
_BANDS = (
    StagePlan("bands", 12, 3, starts=4),
    StagePlan("bands", 6, 4, starts=4, repair=True),
    StagePlan("bands", 6, 6, starts=4, repair=True),
    StagePlan("bands", 6, 8, starts=4, repair=True),
    StagePlan("spread", 4),
    StagePlan("guided", 8),
    StagePlan("bands", 6, 64, widen=True, tie=True),
)
# Where it is known who speaks when, this stage stands before the last one alone.  It finds who is
# who in a few iterations; the last mends much, not all, of what turns that are not exact do.
GIVEN = StagePlan("given", 10)
SCHEDULES: dict[str, tuple[StagePlan, ...]] = {
    "auto": (StagePlan("laplace", 4, starts=4), *_BANDS),
    "laplace": (StagePlan("laplace", 1),),
    "gauss": (StagePlan("gauss", 1),),
    "bands": _BANDS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a separation is asked to do.

    Parameters
    ----------
    n_src : int or 'auto' or None
        Number of sources.  With ``auto`` the speakers are counted first, with None there are as
        many as channels.
    algorithm : str
        Update rule, one of ``ALGORITHMS``.
    step_size : float, optional
        Of the algorithm ``gradient``, which alone has one; ``DEFAULT_STEP_SIZE`` when not given.
    model : {'auto', 'laplace', 'gauss', 'bands'}
        Source model; ``auto`` goes from coarse to fine.
    max_iter : int
        Iterations in all, shared out among the stages of the model.
    tol : float
        A stage ends when its cost stays within this relative fall; 0 runs all iterations.  With
        the default outputs are within 0.1 dB of those of all.
    n_fft : int, optional
        Length of the STFT's window, in samples; when not given about 256 ms, for ``auto`` and
        ``bands`` up to 1 s where the recording is long enough.
    hop_length : int, optional
        Samples between frames; a quarter of ``n_fft`` when not given.
    window : {'hann', 'hamming'}
        Analysis window.
    max_memory : int, optional
        Bytes of memory to use at most, about; 2 GiB, or half of what there is, when not given, and
        as many as it takes.  The result does not depend on it.
    ref_chan : int or 'loudest', optional
        Reference channel, from 0: the microphone to which the outputs sum.  The first that
        carries a signal and hears what others hear when not given.  With ``loudest`` each output
        is what the microphone heard at which its source is loudest, relative to all that is heard
        there; the outputs then sum to none.
    channels : tuple of int, optional
        Channels to use, from 0; all when not given.
    resync : bool
        Whether channels whose clocks drift are brought onto the clock of the reference channel.
    dereverb : bool
        Whether late reverberation is taken from the recording first: the outputs then sum to the
        reference channel without it.
    learn_all : bool
        Whether every stage learns from every frame, and not from an even sample of them where a
        recording is long.
    motion : {'auto', 'off', 'on'}
        Whether filters follow speakers who move: where some seem to, never, or always.
    rest : bool
        Whether what belongs to no source is an output of its own, the last, instead of being
        shared out among them.

    Raises
    ------
    ParameterError
        If a value is out of its range.
    """

    n_src: int | Literal["auto"] | None = AUTO
    algorithm: Algorithm = "ipa"
    step_size: float | None = None
    model: Model = "auto"
    max_iter: int = 52
    tol: float = 2e-5
    n_fft: int | None = None
    hop_length: int | None = None
    window: Window = "hamming"
    ref_chan: int | Literal["loudest"] | None = None
    max_memory: int | None = None
    channels: tuple[int, ...] | None = None
    resync: bool = False
    dereverb: bool = False
    learn_all: bool = False
    motion: Following = "auto"
    rest: bool = False

    @property
    def asked_n_src(self) -> int | None:
        """The number of sources that is asked for, if one is."""
        return None if self.n_src == AUTO else self.n_src

    @property
    def asked_ref_chan(self) -> int | None:
        """The one reference channel that is asked for, if one is."""
        return None if self.ref_chan == LOUDEST else self.ref_chan

    def __post_init__(self) -> None:
        for name, lowest in LOWEST.items():
            value = getattr(self, name)
            if name in WORDS and value == WORDS[name]:
                continue
            if value is not None or name == "max_iter":
                check_whole(name, value, lowest=lowest)
        if not isinstance(self.tol, Real) or not 0 <= self.tol < 1:
            raise ParameterError(f"tol={self.tol!r} must be a number in [0, 1)")
        for value, allowed, name in (
            (self.algorithm, ALGORITHMS, "algorithm"),
            (self.model, MODELS, "model"),
            (self.window, WINDOWS, "window"),
            (self.motion, FOLLOWING, "motion"),
        ):
            if value not in allowed:
                raise ParameterError(f"{name}={value!r} must be one of {', '.join(allowed)}")
        for channel in self.channels or ():
            check_whole("channels", channel, lowest=0)
        self._check_step_size()

    def _check_step_size(self) -> None:
        """Refuse a step size out of range, or for an algorithm that takes none."""
        if self.step_size is None:
            return
        if self.algorithm != "gradient":
            raise ParameterError(
                f"step_size={self.step_size} does not go with algorithm={self.algorithm!r}, "
                "which needs none",
                hint="Only gradient has a step size.",
            )
        if not isinstance(self.step_size, Real) or not 0 < self.step_size <= LARGEST_STEP_SIZE:
            raise ParameterError(
                f"step_size={self.step_size!r} must be above 0, and at most {LARGEST_STEP_SIZE:g}"
            )

    def stages(self, without: Collection[str] = ()) -> list[tuple[StagePlan, int]]:
        """Share the iterations out among the stages of the model.

        Parameters
        ----------
        without : collection of str
            Models of stages that there cannot be; others get their iterations.

        Returns
        -------
        list of (StagePlan, int)
            Each stage with its number of iterations; stages left without one are dropped, but
            for the first if no stage has any.
        """
        plans = [plan for plan in SCHEDULES[self.model] if plan.model not in without]
        total = sum(plan.share for plan in plans)
        borders = [0]
        for plan in plans:
            borders.append(borders[-1] + plan.share)
        counts = [
            round(self.max_iter * stop / total) - round(self.max_iter * start / total)
            for start, stop in pairwise(borders)
        ]
        stages = [(plan, n) for plan, n in zip(plans, counts, strict=True) if n]
        return stages or [(plans[0], 0)]
