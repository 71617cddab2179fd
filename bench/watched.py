"""What the main thread of a command is doing, for `bench.shell_seconds`, which runs it in a new process.

    python -m bench.watched BEGUN ARGUMENT...

Every 2 ms another thread looks. BEGUN is the time at which the process was started. Only what Python has loaded by
itself is imported here, so that all other imports are counted.
"""

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import CodeType

INTERVAL = 0.002
TRACED = ("trace_to_jaxpr_dynamic", "trace_to_jaxpr", "lower_jaxpr_to_module", "jaxpr_subcomp")
WORK: dict[str, Callable[[CodeType], bool]] = {
    "imports": lambda code: code.co_filename.startswith("<frozen importlib"),
    "compiling: XLA": lambda code: code.co_filename.endswith("jax/_src/compiler.py"),
    "compiling: tracing, lowering": lambda code: code.co_name in TRACED,
    "reading the dataset": lambda code: "jaxd2l/data/" in code.co_filename,
    "pictures": lambda code: "jaxd2l/plots/" in code.co_filename,
    "files": lambda code: "jaxd2l/train/checkpoint/" in code.co_filename or code.co_filename.endswith("/_files.py"),
    "epochs": lambda code: "jaxd2l/train/" in code.co_filename,
}
"""What the main thread does while such a function is running; the first that fits counts."""

STARTING, REST = "starting Python", "the rest"


def functions(thread: int) -> Iterator[CodeType]:
    """What a thread is running, the innermost first."""
    frame = sys._current_frames().get(thread)
    while frame:
        yield frame.f_code
        frame = frame.f_back


def watched(work: Callable[[], int]) -> tuple[int, Counter[str]]:
    """What `work` returns, and the seconds of each kind of work in it."""
    seconds: Counter[str] = Counter()
    thread, ended = threading.get_ident(), threading.Event()

    def watch() -> None:
        before = time.perf_counter()
        while not ended.wait(INTERVAL):
            running = list(functions(thread))
            kind = next((kind for kind, fits in WORK.items() if any(map(fits, running))), REST)
            now = time.perf_counter()
            seconds[kind] += now - before
            before = now

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return work(), seconds
    finally:
        ended.set()
        watcher.join()


def main(begun: float, arguments: Sequence[str]) -> int:
    """Runs `jaxd2l` with these arguments, and prints the seconds and when it ended."""

    def command() -> int:
        from jaxd2l.__main__ import main

        sys.argv[1:] = arguments
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    starting = time.time() - begun
    code, seconds = watched(command)
    print(json.dumps({"seconds": {STARTING: starting} | seconds, "ended": time.time()}))
    return code


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
