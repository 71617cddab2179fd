"""`python -m parity_tests.operations`; see `command`."""

import sys

from parity_tests.operations.command import main

if __name__ == "__main__":
    sys.exit(main())
