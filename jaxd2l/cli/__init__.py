"""The command line: what can be said, and what becomes of errors. One file per command does the work."""

import argparse
import math
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

MODELS = ("linear", "softmax", "mlp", "flax-mlp")
DATASETS = ("digits", "fashion_mnist", "synthetic")
IMAGE_DATASETS = ("digits", "fashion_mnist")
INTERRUPTED = 128 + signal.SIGINT
CHECKPOINT_FAILED = 3
_MOST_VALUES = 10_000  # of one axis of a sweep: a slip of the finger should not fill the memory


def run(arguments: Sequence[str]) -> int:
    """Carries out one command and returns its exit code.

    0; 1 for an error; 2 for a wrong call; 3 if training is done and a checkpoint could not be saved; 4 if another
    process of the run was lost or not found; 130 after Ctrl-C.
    """
    try:
        options = parser().parse_args(arguments)
        # Ctrl-C while a C extension is being imported would come out as a traceback of its own.
        usual = signal.signal(signal.SIGINT, _leave_at_once)
        command = import_module(options.module)
        signal.signal(signal.SIGINT, usual)
        code = command.run(options)
        sys.stdout.flush()  # here, where a reader that has gone can still be noticed
        return code
    except KeyboardInterrupt:
        print("\njaxd2l: interrupted; nothing was left half-written", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`jaxd2l ... | head`). Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, ImportError, MemoryError, RuntimeError) as error:
        # What people cause (wrong values, files, missing extras, models too large for the device) is told in a
        # sentence. Any other exception is a mistake of ours, and its traceback is wanted.
        print(f"jaxd2l: error: {error}", file=sys.stderr)
        return 1


def _leave_at_once(*_: object) -> NoReturn:
    os.write(sys.stderr.fileno(), b"\njaxd2l: interrupted before anything was done\n")
    os._exit(INTERRUPTED)


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    top = argparse.ArgumentParser(prog="jaxd2l", description="Dive into Deep Learning in pure JAX.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train a model, keep its parameters, curves and mistakes")
    train.set_defaults(module="jaxd2l.cli.train")
    train.add_argument("model", choices=MODELS, help="linear regression (3.4), softmax regression (4.4), MLP (5.2)")
    train.add_argument("--dataset", choices=DATASETS, help="default: digits; for linear: synthetic")
    train.add_argument("--epochs", type=_whole(1), help="passes over the training set (default: the dataset's)")
    train.add_argument("--batch-size", type=_whole(1), help="examples per step (default: the dataset's)")
    train.add_argument("--lr", type=_positive, help="learning rate of SGD (default: the dataset's)")
    train.add_argument("--hidden", type=_sizes, metavar="N[,N]", help="units per hidden layer of an MLP (default: 256)")
    _add_precision(train)
    train.add_argument("--seed", type=_whole(0, 2**32 - 1), default=0, help="decides all randomness (default: 0)")
    train.add_argument("--out", type=Path, metavar="DIR", help="a new folder (default: out/MODEL-DATASET, numbered)")
    train.add_argument("--json", action="store_true", help="print the content of run.json, and only that")
    train.add_argument("--checkpoint-dir", type=Path, metavar="DIR", help="keep checkpoints here, the last three")
    train.add_argument("--checkpoint-every", type=_whole(1), metavar="N", help="epochs between them (default: 1)")
    train.add_argument(
        "--resume", action="store_true", help="go on from the newest whole checkpoint; from the beginning without any"
    )
    train.add_argument(
        "--debug-nans", action="store_true", help="if the run diverges, name the first step and quantity that did"
    )
    _add_data_dir(train)
    several = train.add_argument_group("several devices and processes")
    several.add_argument("--devices", type=_whole(1, 256), metavar="N", help="train on N devices (of each process)")
    several.add_argument(
        "--coordinator",
        metavar="HOST:PORT",
        help="train with other processes, which meet where process 0 listens; auto: on clusters that JAX knows",
    )
    several.add_argument("--num-processes", type=_whole(1), metavar="N", help="how many processes there are")
    several.add_argument("--process-id", type=_whole(0), metavar="I", help="which of them this is, from 0")

    evaluate = commands.add_parser("evaluate", help="measure a trained model on the test set")
    evaluate.set_defaults(module="jaxd2l.cli.evaluate")
    evaluate.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="a folder that `jaxd2l train` made")
    evaluate.add_argument("--json", action="store_true", help="print JSON, and only that")
    _add_data_dir(evaluate)

    predict = commands.add_parser("predict", help="show a trained model's predictions on test examples")
    predict.set_defaults(module="jaxd2l.cli.predict")
    predict.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="a folder that `jaxd2l train` made")
    predict.add_argument("--count", type=_whole(1), default=16, help="how many test examples (default: 16)")
    predict.add_argument("--out", type=Path, metavar="PNG", help="the picture (default: RUN_DIR/predictions.png)")
    _add_data_dir(predict)

    export = commands.add_parser("export", help="write a trained model's parameters for the book's torch module")
    export.set_defaults(module="jaxd2l.cli.export")
    export.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="a folder that `jaxd2l train` made")
    export.add_argument("--to", type=Path, required=True, metavar="PATH", help="where the safetensors file goes")

    import_ = commands.add_parser("import", help="make a run of a torch state_dict in safetensors")
    import_.set_defaults(module="jaxd2l.cli.import_torch")
    import_.add_argument("file", type=Path, metavar="FILE", help="linear layers, and ReLU between them in an MLP")
    import_.add_argument("--out", type=Path, metavar="DIR", help="a new folder (default: out/MODEL-DATASET, numbered)")

    data = commands.add_parser("data", help="prepare a dataset, or look at it")
    actions = data.add_subparsers(required=True, metavar="ACTION")
    prepare = actions.add_parser("prepare", help="check and cache a dataset, so that it loads at once")
    prepare.set_defaults(module="jaxd2l.cli.data", action="prepare")
    prepare.add_argument("dataset", choices=("fashion_mnist",))
    prepare.add_argument("--from", dest="data_dir", type=Path, metavar="DIR", help="where the official files are")
    show = actions.add_parser("show", help="draw the first images of a dataset")
    show.set_defaults(module="jaxd2l.cli.data", action="show")
    show.add_argument("dataset", choices=IMAGE_DATASETS)
    show.add_argument("--out", type=Path, required=True, metavar="PNG", help="where the picture goes")
    show.add_argument("--count", type=_whole(1, 400), default=32, help="how many images (default: 32)")
    _add_data_dir(show)

    sweep = commands.add_parser("sweep", help="train many seeds and hyperparameters at once; which are best?")
    sweep.set_defaults(module="jaxd2l.cli.sweep")
    sweep.add_argument("model", choices=MODELS, help="as for train")
    values = "0.1 or 0.01,0.1,1 or FROM:TO:log:COUNT or FROM:TO:lin:COUNT"
    sweep.add_argument("--lr", type=_values, required=True, metavar="VALUES", help=f"learning rates: {values}")
    sweep.add_argument("--weight-decay", type=_values, metavar="VALUES", help="of weights, not biases; likewise")
    sweep.add_argument(
        "--seeds", type=_whole(1, _MOST_VALUES), default=4, metavar="N", help="seeds 0 to N-1 (default: 4)"
    )
    sweep.add_argument("--dataset", choices=DATASETS, help="default: digits; for linear: synthetic")
    sweep.add_argument("--epochs", type=_whole(1), help="passes over the training set (default: the dataset's)")
    sweep.add_argument("--batch-size", type=_whole(1), help="examples per step (default: the dataset's)")
    sweep.add_argument("--hidden", type=_sizes, metavar="N[,N]", help="units per hidden layer of an MLP (default: 256)")
    _add_precision(sweep)
    sweep.add_argument("--json", action="store_true", help="print JSON, and only that")
    sweep.add_argument("--plot", type=Path, metavar="PNG", help="draw a heat map")
    _add_data_dir(sweep)

    bench = commands.add_parser("bench", help="time an epoch in every way, JAX's and torch's, side by side")
    bench.set_defaults(module="jaxd2l.cli.bench")
    bench.add_argument("--suite", choices=("quick", "full"), default="quick", help="default: quick, some minutes")
    bench.add_argument("--turns", type=_whole(1), metavar="N", help="how often each way is timed (default: 5 or 9)")
    bench.add_argument("--json", action="store_true", help="print JSON, and only that")
    bench.add_argument("--markdown", type=Path, metavar="PATH", help="write tables as Markdown")
    bench.add_argument("--plot", type=Path, metavar="DIR", help="draw pictures into a folder")

    parity = commands.add_parser("parity", help="compare our functions, or a port of your own, with PyTorch")
    parity.set_defaults(module="jaxd2l.cli.parity")
    parity.add_argument(
        "spec",
        type=Path,
        nargs="?",
        metavar="SPEC.py",
        help="a file that defines torch_module, jax_model, batch, and maybe weights, loss, optim, steps; "
        "without it our own suite runs",
    )
    parity.add_argument("--json", action="store_true", help="print JSON, and only that")
    parity.add_argument("--markdown", type=Path, metavar="PATH", help="write the report as Markdown")
    parity.add_argument("--html", type=Path, metavar="PATH", help="write the report as a page with plots")
    parity.add_argument("--only", metavar="NAME", help="only the suite's cases with this in their names")
    return top


def _add_data_dir(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="where Fashion-MNIST's files are (default: JAXD2L_DATA_DIR)"
    )


def _add_precision(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="of what matrix products multiply; parameters, sums and loss are float32 (default: float32)",
    )


def _whole(least: int, most: int | float = math.inf):  # type: ignore[no-untyped-def]  # argparse wants just a callable
    def number(text: str) -> int:
        if not text.strip().isdecimal() or not least <= int(text) <= most:
            limit = f"at least {least}" if math.isinf(most) else f"{least} to {most}"
            raise argparse.ArgumentTypeError(f"expected a whole number, {limit}; got {text!r}")
        return int(text)

    return number


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a positive number; got {text!r}")
    return value


def _values(text: str) -> tuple[float, ...]:
    """Numbers apart by commas, or COUNT of them from FROM to TO at equal ratios (log) or distances (lin)."""
    start, *rest = text.split(":")
    if not rest:
        return tuple(_not_negative(part) for part in text.split(","))
    if len(rest) != 3 or rest[1] not in ("log", "lin"):
        raise argparse.ArgumentTypeError(f"expected numbers as 0.01,0.1,1 or FROM:TO:log:COUNT, or lin; got {text!r}")
    first, last, count = _not_negative(start), _not_negative(rest[0]), _whole(2, _MOST_VALUES)(rest[2])
    if rest[1] == "lin":
        return tuple(first + (last - first) * i / (count - 1) for i in range(count))
    if not (first > 0 and last > 0):
        raise argparse.ArgumentTypeError(f"equal ratios need FROM and TO above 0; got {text!r}")
    return tuple(first * (last / first) ** (i / (count - 1)) for i in range(count))


def _not_negative(text: str) -> float:
    return 0.0 if text.strip() in ("0", "0.0") else _positive(text)


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(_whole(1)(part) for part in text.split(","))
