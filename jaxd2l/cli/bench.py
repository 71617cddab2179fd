"""`jaxd2l bench`: an epoch timed in every way, side by side."""

import argparse
import os
import shlex
import sys

from rich.table import Table

from jaxd2l._files import write_file
from jaxd2l._process.exit_codes import ExitCode
from jaxd2l.bench import glance, report, suite
from jaxd2l.bench.suite import Plan, Result
from jaxd2l.cli import runs
from jaxd2l.cli.output import console

_REST = "--verbose measures and shows more: quartiles, first epochs, memory, the machine's peak, the shell."


def run(options: argparse.Namespace) -> ExitCode:
    """Measures, prints and writes what the options ask for. Without torch it times only JAX's half, and says so."""
    for path in (options.markdown, options.plot):  # before minutes are spent
        if path is not None and not path.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {path.parent} to write {path} to")
    with console(stderr=True).status("") as status:
        result = suite.run(_plan(options), lambda doing: status.update(doing, spinner="dots"))
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
    else:
        _print(result, verbose=options.verbose)
    return ExitCode.OK


def _plan(options: argparse.Namespace) -> Plan:
    """The suite, without what nobody would see."""
    plan = suite.SUITES[options.suite]
    if options.turns is not None:
        plan = plan._replace(turns=options.turns)
    if options.verbose or options.json or options.markdown is not None:
        return plan
    return plan._replace(around=False, many=(), growth=plan.growth if options.plot is not None else ())


def _print(result: Result, *, verbose: bool) -> None:
    """A warning if the machine was busy, the tables, what was measured on, and one sentence to remember."""
    shown_on = console() if sys.stdout.isatty() else console(width=170 if verbose else 80)
    if warning := glance.busy(report.timings(result)):
        shown_on.print(warning, style="bold")
    for title, headings, rows in report.tables(result) if verbose else [glance.table(result.ways)]:
        table = Table(title=title)
        for heading in headings:
            table.add_column(heading, justify="right" if heading in ("ms", "times") else "left")
        for cells in rows:
            if not verbose and cells[0]:  # a model begins
                table.add_section()
            table.add_row(*cells)
        shown_on.print(table)
    env = result.environment
    notes = report.notes(result) if verbose else [report.machine(env), *report.without_torch(env), _REST]
    for text in notes:
        shown_on.print(f"- {text}")
    shown_on.print(glance.conclusion(result.ways))
