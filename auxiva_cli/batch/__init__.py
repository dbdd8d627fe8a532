"""Many recordings, without a word to anybody: what there is to do, and one seam that does it."""

from __future__ import annotations

from auxiva_cli.batch.jobs import Job, OutputChoices, ReadingChoices, Task, plan_jobs
from auxiva_cli.batch.run import run_jobs, write_index
from auxiva_cli.batch.work import Outcome, separate_recording, unworked

__all__ = [
    "Job",
    "Outcome",
    "OutputChoices",
    "ReadingChoices",
    "Task",
    "plan_jobs",
    "run_jobs",
    "separate_recording",
    "unworked",
    "write_index",
]
