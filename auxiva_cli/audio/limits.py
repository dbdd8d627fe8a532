"""What a recording may claim to be, whatever kind of file it comes from."""

from __future__ import annotations

from auxiva_cli.errors import RecordingError

__all__ = ["MAX_CHANNELS", "check_plausible"]

MAX_CHANNELS = 64
SAMPLE_RATES = (1_000, 768_000)  # Hz, from the slowest sensor to the fastest converter on sale


def check_plausible(n_chan: int, sample_rate: int) -> None:
    """Refuse a header that no microphone array can have written.

    Parameters
    ----------
    n_chan : int
        Number of channels that the header claims.
    sample_rate : int
        Sample rate that the header claims, in Hz.

    Raises
    ------
    RecordingError
        ``malformed`` or ``resource-limit``.
    """
    if n_chan < 1:
        raise RecordingError("the header claims 0 channels", kind="malformed")
    if n_chan > MAX_CHANNELS:
        raise RecordingError(
            f"the header claims {n_chan} channels, at most {MAX_CHANNELS} are accepted",
            hint="Extract the microphones to use into a file of their own first.",
            kind="resource-limit",
        )
    lowest, highest = SAMPLE_RATES
    if not lowest <= sample_rate <= highest:
        raise RecordingError(
            f"the header claims a sample rate of {sample_rate} Hz, "
            f"outside {lowest} to {highest} Hz",
            hint="Check with 'ffprobe' or 'soxi' what the file really is.",
            kind="malformed",
        )
