"""`jaxd2l completion`: a script for a shell, which completes commands, options and their values."""

import argparse

import shtab

from jaxd2l._process.exit_codes import ExitCode
from jaxd2l.cli.grammar import parser


def run(options: argparse.Namespace) -> ExitCode:
    """Prints the script."""
    print(shtab.complete(parser(), shell=options.shell))
    return ExitCode.OK
