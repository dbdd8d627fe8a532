"""Worker processes: started from one that has loaded what they need, and nothing else."""

import pytest

from auxiva_cli.workers import prepare_workers, worker_context

ASKED = """
import os, sys, threading
blas = os.environ["OPENBLAS_NUM_THREADS"]
connection.send(("numpy" in sys.modules, blas, threading.active_count()))
"""


@pytest.mark.skipif(
    worker_context().get_start_method() != "forkserver", reason="workers start from nothing here"
)
def test_a_worker_begins_with_everything_loaded_one_thread_of_blas_and_none_of_ours() -> None:
    context = worker_context()
    here, there = context.Pipe(duplex=False)
    prepare_workers()
    process = context.Process(target=exec, args=(ASKED, {"connection": there}))
    process.start()
    there.close()
    assert here.recv() == (True, "1", 1)
    process.join()
    assert process.exitcode == 0
