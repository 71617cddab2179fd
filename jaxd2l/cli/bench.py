"""`jaxd2l bench`: an epoch timed in every way, side by side."""

import argparse
import os
import shlex
import sys

from rich.console import Console
from rich.table import Table

from jaxd2l._exit_codes import ExitCode
from jaxd2l._files import write_file
from jaxd2l.bench import report, suite
from jaxd2l.cli import runs


def run(options: argparse.Namespace) -> ExitCode:
    """Measures, prints and writes what the options ask for. Without torch it times only JAX's half, and says so."""
    plan = suite.SUITES[options.suite]
    if options.turns is not None:
        plan = plan._replace(turns=options.turns)
    for path in (options.markdown, options.plot):  # before minutes are spent
        if path is not None and not path.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {path.parent} to write {path} to")
    with Console(stderr=True).status("") as status:
        result = suite.run(plan, lambda doing: status.update(doing, spinner="dots"))
    pictures: dict[str, bytes] = {}
    if options.plot is not None:
        from jaxd2l.bench import pictures as drawn  # matplotlib, for those who ask for a picture

        pictures = drawn.draw(result)
        options.plot.mkdir(exist_ok=True)
        for name, content in pictures.items():
            write_file(options.plot / name, content)
    if options.markdown is not None:
        names = [os.path.relpath(options.plot / name, options.markdown.parent) for name in pictures]
        command = shlex.join(["jaxd2l", *sys.argv[1:]])
        write_file(options.markdown, report.markdown(result, command, names).encode())
    if options.json:
        print(runs.to_json(report.as_json(result)))
        return ExitCode.OK
    console = Console() if sys.stdout.isatty() else Console(width=170)
    for title, headings, rows in report.tables(result):
        table = Table(*headings, title=title)
        for cells in rows:
            table.add_row(*cells)
        console.print(table)
    for sentence in report.notes(result):
        console.print(f"- {sentence}", markup=False, highlight=False)
    return ExitCode.OK
