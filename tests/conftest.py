"""Every run is the same: property tests draw the same examples, and BLAS works in one thread.

With a thread for every processor, on matrices this small, most of the time goes into waiting.
Ctrl-C counts even where a shell runs the tests in the background, and has them ignore it.
"""

from __future__ import annotations

import os
import signal

from hypothesis import settings

signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # is read when NumPy is first imported
settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=40)
settings.load_profile("repeatable")
