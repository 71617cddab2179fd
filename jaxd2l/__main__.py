"""`python -m jaxd2l` and the `jaxd2l` command. It imports nothing heavy, so Ctrl-C and --help respond at once."""

import gc
import os
import signal
import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))
    from jaxd2l._process.interrupts import leave_at_once

    signal.signal(signal.SIGINT, leave_at_once)
    from jaxd2l._process.cache_folder import keep_compiled_programs
    from jaxd2l._process.exit_codes import ExitCode
    from jaxd2l._process.streams import survive
    from jaxd2l.cli import run

    survive()
    keep_compiled_programs()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what counts once the command has ended; Python leaves this alone
    code = run(sys.argv[1:])
    distributed = sys.modules.get("jax.distributed")
    if code == ExitCode.INTERRUPTED or (code and distributed is not None and distributed.is_initialized()):
        # Not an orderly end: XLA's threads may still be working, and taking Python down under them is a segmentation
        # fault. Of several processes, the others may be waiting for this one. Also, after a Ctrl-C inside `exec` of a
        # string `python -m` would end by the signal, not by our code.
        os._exit(code)
    gc.freeze()  # or Python would look through all objects of JAX once more, for half a second
    sys.exit(code)


if __name__ == "__main__":
    main()
