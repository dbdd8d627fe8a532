"""Many recordings, without a word to anybody: what there is to do, and one seam that does it."""

from __future__ import annotations

from auxiva_cli.batch.jobs import Job, OutputChoices, ReadingChoices, Task
from auxiva_cli.batch.plan import plan_jobs, prepare_outputs
from auxiva_cli.batch.pool import Processes
from auxiva_cli.batch.run import Workers, run_jobs, write_index
from auxiva_cli.batch.work import Outcome, separate_recording, unworked

__all__ = [
    "Job",
    "Outcome",
    "OutputChoices",
    "Processes",
    "ReadingChoices",
    "Task",
    "Workers",
    "plan_jobs",
    "prepare_outputs",
    "run_jobs",
    "separate_recording",
    "unworked",
    "write_index",
]
