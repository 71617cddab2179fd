"""The command line: runs a command and turns errors into a sentence and an exit code. Each command has its own file."""

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from jaxd2l._exit_codes import ExitCode
from jaxd2l.cli.grammar import parser


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code, one of `ExitCode`. argparse itself exits after a wrong call."""
    try:
        options = parser().parse_args(arguments)
        # Ctrl-C while a C extension is being imported would end in a traceback of its own.
        usual = signal.signal(signal.SIGINT, _leave_at_once)
        command = import_module(options.module)
        signal.signal(signal.SIGINT, usual)
        code = command.run(options)
        sys.stdout.flush()  # now, while a closed pipe can still be noticed
        return int(code)
    except KeyboardInterrupt:
        print("\njaxd2l: interrupted; nothing was left half-written", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`jaxd2l ... | head`). Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.ERROR
    except (ValueError, OSError, ImportError, MemoryError, RuntimeError) as error:
        # What people cause (wrong values, files, missing extras, models too large for the device) gets a sentence.
        # Any other exception is our own mistake and keeps its traceback.
        print(f"jaxd2l: error: {error}", file=sys.stderr)
        return ExitCode.ERROR


def _leave_at_once(*_: object) -> NoReturn:
    os.write(sys.stderr.fileno(), b"\njaxd2l: interrupted before anything was done\n")
    os._exit(ExitCode.INTERRUPTED)
