"""`python -m parity_tests` writes README.md from the contract and the measurements; `--check` only compares."""

import argparse
import sys

from parity_tests import readme

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m parity_tests", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if README.md is not current")
    if parser.parse_args().check:
        sys.exit(None if readme.is_current() else "parity_tests/README.md is not current: run python -m parity_tests")
    readme.PATH.write_text(readme.text(), encoding="utf-8")
