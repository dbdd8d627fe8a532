"""Blind source separation: pure mathematics on arrays.

No files, no clock, no printing, no global random state.  One shape everywhere,
the frequency axis last and contiguous: a block of the mixture STFT is
``(n_frames, n_chan, n_freq)``, demixing matrices ``W`` are
``(n_src, n_chan, n_freq)`` with rows ``w_k^H`` (so that ``Y = W X``), weighted
covariances ``V`` are ``(n_src, n_chan, n_chan, n_freq)``.
"""
