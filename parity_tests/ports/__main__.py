"""The entry point."""

import sys

from parity_tests.ports.command import main

if __name__ == "__main__":
    sys.exit(main())
