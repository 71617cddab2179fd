"""`python -m parity_tests.mutations`: plants defects and prints which are found, see `command`."""

import sys

from parity_tests.mutations.command import main

if __name__ == "__main__":
    sys.exit(main())
