"""`python -m jaxd2l` and the `jaxd2l` command. It imports nothing heavy, so Ctrl-C and --help respond at once."""

import logging
import os
import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    from jaxd2l._cache_folder import keep_compiled_programs
    from jaxd2l._exit_codes import ExitCode
    from jaxd2l.cli import run

    logging.basicConfig(format="%(message)s")  # on standard error
    logging.getLogger("jaxd2l").setLevel(logging.INFO)
    keep_compiled_programs()
    code = run(sys.argv[1:])
    if code == ExitCode.INTERRUPTED:
        # Not an orderly end: XLA's threads may still be working, and taking Python down under them is a segmentation
        # fault. Also, after a Ctrl-C inside `exec` of a string `python -m` would end by the signal, not by our code.
        os._exit(code)
    distributed = sys.modules.get("jax.distributed")
    if code and distributed is not None and distributed.is_initialized():
        os._exit(code)  # an orderly end would wait for the other processes, which wait for this one
    sys.exit(code)


if __name__ == "__main__":
    main()
