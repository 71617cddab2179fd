"""The exit codes of the command line, named once. Imports nothing heavy."""

import signal
from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended, for the shell."""

    OK = 0
    ERROR = 1
    WRONG_CALL = 2
    CHECKPOINT_FAILED = 3
    """Training is done, but a checkpoint could not be saved."""
    PROCESS_LOST = 4
    """Another process of the run was lost, or never found."""
    INTERRUPTED = 128 + signal.SIGINT
