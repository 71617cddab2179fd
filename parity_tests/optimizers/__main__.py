"""The command line of the package."""

import sys

from parity_tests.optimizers.command import main

if __name__ == "__main__":
    sys.exit(main())
