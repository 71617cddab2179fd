"""The command line: runs a command and turns errors into a sentence and an exit code. Each command has its own file."""

import argparse
import os
import traceback
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from jaxd2l._process.exit_codes import ExitCode
from jaxd2l._process.interrupts import ctrl_c, handled_by, leave_at_once
from jaxd2l._process.streams import complain, output_lost
from jaxd2l.cli.grammar import parser

_ISSUES = "https://github.com/jaxd2l/jaxd2l/issues"
_RESULTS_IN_FILES = {f"jaxd2l.cli.{name}" for name in ("train", "import_torch", "export", "data")}


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code, one of `ExitCode`. argparse itself exits after a wrong call."""
    with handled_by(leave_at_once):
        options = parser().parse_args(arguments)
        command = import_module(options.module)
        with handled_by(lambda *_: None):  # for what is said at the end
            code = _carried_out(command, options)
            if lost := output_lost():
                if not isinstance(lost, BrokenPipeError):  # nobody reads on, as in `jaxd2l ... | head`
                    complain(f"standard output cannot be written: {lost.strerror}")
                code = code if options.module in _RESULTS_IN_FILES else code or ExitCode.ERROR
            return code


def _carried_out(command: ModuleType, options: argparse.Namespace) -> int:
    presses: list[int] = []
    try:
        with ctrl_c() as presses:
            return int(command.run(options))
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:  # nobody reads on: `jaxd2l export ... --to /dev/stdout | head`
        return ExitCode.ERROR
    except (ValueError, OSError) as error:
        complain(f"error: {_sentence(error)}")
        return ExitCode.ERROR
    except Exception as error:
        if presses:  # a library that was hit while it was imported, and made something else of it
            return _interrupted()
        # What people cause (missing extras, models too large for the device) gets a sentence, too. Any other exception
        # is our own mistake.
        if isinstance(error, ImportError | MemoryError | RuntimeError) and not isinstance(error, RecursionError):
            complain(f"error: {_sentence(error)}")
        elif problem := _without_a_device():
            complain(f"error: {problem}")
        else:
            complain(f"{traceback.format_exc()}\nThis is a mistake in jaxd2l. Please report the lines above: {_ISSUES}")
        return ExitCode.ERROR


def _interrupted() -> ExitCode:
    complain("interrupted; nothing was left half-written")
    return ExitCode.INTERRUPTED


def _sentence(error: Exception) -> str:
    """Its message; some come without one."""
    if isinstance(error, MemoryError):
        return f"there is not enough memory: {error}" if str(error) else "there is not enough memory"
    return str(error) or type(error).__name__


def _without_a_device() -> str:
    """What is wrong if JAX itself cannot start, which it does not always put into words; empty if it can."""
    import jax

    try:
        jax.devices()
    except (AssertionError, RuntimeError):
        asked = os.environ.get("JAX_PLATFORMS")
        of = f" of the platform {asked!r}, which JAX_PLATFORMS asks for; unset it, or install one" if asked else ""
        return f"JAX finds no device{of}"
    return ""
