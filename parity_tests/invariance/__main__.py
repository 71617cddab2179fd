"""`python -m parity_tests.invariance`: measures which ways of running change bits, see `command`."""

from parity_tests.invariance.command import main

if __name__ == "__main__":
    main()
