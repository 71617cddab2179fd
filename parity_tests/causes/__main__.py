"""`python -m parity_tests.causes`: plants mistakes in ports and prints which are named, see `command`."""

import sys

from parity_tests.causes.command import main

if __name__ == "__main__":
    sys.exit(main())
