"""What every worker process needs, loaded once: workers are forked from the process that did."""

from auxiva_cli.process import prepare_process

prepare_process()

import auxiva_cli.batch.work  # noqa: E402, F401 - NumPy reads the environment as it is loaded
