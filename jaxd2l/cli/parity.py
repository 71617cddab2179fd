"""`jaxd2l parity`: our own suite, or a port of the user's, compared with PyTorch."""

import argparse
import sys
import traceback
from pathlib import Path
from typing import Any

from jaxd2l import parity
from jaxd2l._process.exit_codes import ExitCode
from jaxd2l.cli.output import console
from jaxd2l.cli.spec import OPTIONAL, REQUIRED
from jaxd2l.parity import Report


def run(options: argparse.Namespace) -> ExitCode:
    """Compares, prints and writes what the options ask for. The exit code is 0 only if everything holds."""
    check = parity.check  # imports torch now, and names the extra if it is missing
    if options.spec is not None:
        if options.only:
            raise ValueError("--only chooses among the cases of our own suite; a SPEC is one case")
        arguments = load_spec(options.spec)
        try:
            report = check(**arguments)
        except (ValueError, ImportError):
            raise
        except (Exception, SystemExit) as error:  # raised inside the user's model, loss or optimiser
            raise ValueError(_located(options.spec, error)) from error
    else:
        report = suite_report(options.only)
    for path, write in ((options.markdown, report.to_markdown), (options.html, report.to_html)):
        if path is not None:
            write(path)
    if options.json:
        print(report.json())
    else:
        console().print(report.table())
    holds = report.ok and not (options.strict and report.unseen)
    return ExitCode.OK if holds else ExitCode.ERROR


def load_spec(path: Path) -> dict[str, Any]:
    """Runs a SPEC file and takes the arguments of `parity.check` from it.

    The file defines what is in `spec.REQUIRED`, and may define what is in `spec.OPTIONAL`.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it fails (the message has its own message and line), or does not define what it must.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    names: dict[str, Any] = {"__name__": "jaxd2l_spec", "__file__": str(path)}
    sys.path.insert(0, str(path.parent.absolute()))  # as for a script, which may import its neighbours
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), names)
    except SyntaxError as error:
        raise ValueError(f"{path}, line {error.lineno}: {type(error).__name__}: {error.msg}") from error
    except SystemExit as error:
        raise ValueError(f"{_located(path, error)}; a SPEC defines names, and `jaxd2l parity` exits") from error
    except Exception as error:
        raise ValueError(_located(path, error)) from error
    finally:
        sys.path.pop(0)
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        optional = ", ".join(OPTIONAL)
        raise ValueError(f"{path} must define {', '.join(missing)}; it may define {optional}: see jaxd2l parity --help")
    return {name: names[name] for name in (*REQUIRED, *OPTIONAL) if name in names}


def suite_report(only: str | None = None, seed: int = 0) -> Report:
    """Runs our own suite.

    Args:
      only: run only the cases with this in their names.
      seed: decides the inputs.

    Raises:
      ValueError: no case has such a name.
    """
    from jaxd2l.parity import suite
    from jaxd2l.parity.report import context

    cases = suite.cases()
    chosen = [case for case in cases if not only or only in case.name]
    if not chosen:
        raise ValueError(f"no case is named {only!r}; there are: {', '.join(case.name for case in cases)}")
    rows = tuple(row for case in chosen for row in case.run(seed))
    return Report(rows, context=context() | {"cases": len(chosen), "seed": seed})


def _located(path: Path, error: BaseException) -> str:
    """An error of the user's code, with the line of the SPEC that caused it."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    where = f"{path}, line {lines[-1]}" if lines else str(path)
    return f"{where}: {type(error).__name__}: {error}"
