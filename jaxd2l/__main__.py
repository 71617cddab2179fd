"""`python -m jaxd2l` and the `jaxd2l` command. Imports nothing heavy, so Ctrl-C and --help answer at once."""

import logging
import os
import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    from jaxd2l._cache_folder import keep_compiled_programs
    from jaxd2l.cli import INTERRUPTED, run

    logging.basicConfig(format="%(message)s")  # on standard error
    logging.getLogger("jaxd2l").setLevel(logging.INFO)
    keep_compiled_programs()
    code = run(sys.argv[1:])
    if code == INTERRUPTED:
        # No orderly end: XLA's threads may still be at work, and Python taken down under them is a segmentation
        # fault; and a Ctrl-C that fell into `exec` of a string makes `python -m` end by the signal, not by our code.
        os._exit(code)
    distributed = sys.modules.get("jax.distributed")
    if code and distributed is not None and distributed.is_initialized():
        os._exit(code)  # an orderly end would wait for the other processes, which wait for this one
    sys.exit(code)


if __name__ == "__main__":
    main()
