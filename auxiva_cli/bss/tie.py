"""How far bands are tied to each other: as far as a recording is a conversation, and is long.

Where all talk all the time, each band of a speaker moves in its own way, and a model of each fits
best.  In a conversation all of them fall silent together, and one activity, learnt from all
frequencies, tells a band that leaks where its speaker is silent.  Which of the two a recording is
shows in the outputs: in the share of the variance of their log activities that all bands have in
common.  One activity of all is also one number a frame to tell the speakers apart by, where
bands have many: it takes more frames to learn from.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from auxiva_cli.bss.linalg import Array
from auxiva_cli.bss.source_models import PowerMean, SourceModel

__all__ = ["common_share", "tied"]

# Of the mean activity of a band: what is 20 dB below is the others and the room.
ACTIVITY_FLOOR = 1e-2
# The exponent of the power mean, by the frames that there are for each source: with a window of
# 512 ms those of a quarter of a minute of four speakers, half and all of it.
FRAMES_PER_SOURCE, EXPONENTS = (30.0, 60.0, 120.0), (1 / 32, 1 / 4, 1 / 2)
# It is doubled between the common share where all talk all the time, 0.33 to 0.47 (0.57 where they
# pause together), and that of conversations, 0.43 to 0.64.
COMMON_SHARES = (0.46, 0.52)


def common_share(energies: Array, model: SourceModel) -> Array:
    """Return the share of the variance of log activities over time that all bands have in common.

    Parameters
    ----------
    energies : ndarray of shape (n_segments, n_frames, n_src)
        ``Σ_f |y_kf[t]|²`` over the frequencies of each segment.
    model : SourceModel
        Has the segments, and cliques of them, which are the bands.

    Returns
    -------
    ndarray of shape (n_src,)
        ``var_t(mean_b l_kb[t]) / mean_b var_t(l_kb[t])`` of the logarithms ``l_kb = log(r²_kb /
        mean_t r²_kb + 0.01)``: 1 where all rise and fall together, and for bands that know
        nothing of each other one over their number.
    """
    r2 = np.tensordot(model.cliques, energies, axes=1)
    r2 /= r2.mean(axis=1, keepdims=True) + np.finfo(float).tiny
    logarithms = np.log(r2 + ACTIVITY_FLOOR)
    together, each = logarithms.mean(axis=0).var(axis=0), logarithms.var(axis=1).mean(axis=0)
    share: Array = together / (each + np.finfo(float).tiny)
    return share


def tied(model: SourceModel, energies: Array) -> SourceModel:
    """Return a model of bands with the bands tied as the outputs so far suggest.

    Parameters
    ----------
    model : SourceModel
        The bands.
    energies : ndarray of shape (n_segments, n_frames, n_src)
        ``Σ_f |y_kf[t]|²`` of the outputs over the frequencies of each segment.

    Returns
    -------
    SourceModel
        The same cliques under a power mean.  Its exponent is next to nothing for few frames, 1/2
        for many of speakers who all talk all the time, 1 for many of a conversation.
    """
    _, n_frames, n_src = energies.shape
    share = float(common_share(energies, model).mean())
    conversation = np.interp(share, COMMON_SHARES, (1, 2))
    exponent = conversation * np.interp(n_frames / n_src, FRAMES_PER_SOURCE, EXPONENTS)
    return replace(model, contrast=PowerMean(float(exponent)))
