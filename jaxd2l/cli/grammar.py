"""The grammar of the command line: one function per command. It imports nothing heavy, so --help answers at once."""

import argparse
from pathlib import Path
from typing import Any

from jaxd2l import __version__
from jaxd2l.cli.spec import text as about_specs
from jaxd2l.cli.values import fraction, names, positive, seeds, sizes, values, whole

NETWORKS = (
    "lenet",
    "alexnet",
    "vgg",
    "nin",
    "googlenet",
    "batch-norm-lenet",
    "resnet18",
    "densenet",
    "regnet",
)
MODELS = ("linear", "softmax", "mlp", "flax-mlp", *NETWORKS)
IMAGE_DATASETS = ("digits", "fashion_mnist")
DATASETS = (*IMAGE_DATASETS, "synthetic")
OPTIMIZERS = ("sgd", "adagrad", "rmsprop", "adadelta", "adam", "adamw", "adamax", "nadam", "radam", "rprop", "yogi")
SCHEDULES = ("constant", "cosine", "step")
ACTIVATIONS = ("relu", "sigmoid", "tanh", "leaky_relu", "swish", "gelu")
_MODELS = f"{', '.join(MODELS)} (3.4, 4.4, 5.2, 7.6, 8.1 to 8.8)"
_DATASETS = "default: digits; for linear: synthetic; for networks of images: fashion_mnist"
SHELLS = ("bash", "zsh", "tcsh")
PRECISIONS = ("float32", "bfloat16")
INITS = ("normal", "kaiming", "xavier", "torch", "flax", "book")


_AS_WRITTEN = argparse.RawDescriptionHelpFormatter
_EXAMPLES = """examples:
  jaxd2l train mlp                                           digits, a few seconds
  jaxd2l train mlp --dataset fashion_mnist --hidden 512,256 --dropout 0.2 --momentum 0.9 --schedule cosine --epochs 20
  jaxd2l train mlp --data table.csv --target NAME            a table of your own
  jaxd2l evaluate out/mlp-digits --best                      the best epoch, class by class
  jaxd2l sweep mlp --lr 0.01:1:log:8 --seeds 8 --plot map.png"""
_TRAIN_EXAMPLES = """examples:
  jaxd2l train mlp --validation 0.1 --early-stopping 5 --epochs 100
  jaxd2l train mlp --optimizer adamw --warmup 1 --schedule cosine --hidden 256,128
  jaxd2l train linear --data houses.csv --target price
  jaxd2l train mlp --checkpoint-dir ckpt --resume --out run"""


def parser() -> argparse.ArgumentParser:
    """All commands. `module` of the options names the module whose `run(options)` does the work."""
    top = argparse.ArgumentParser(
        prog="jaxd2l", description="Dive into Deep Learning in pure JAX.", epilog=_EXAMPLES, formatter_class=_AS_WRITTEN
    )
    top.add_argument("--version", action="version", version=f"jaxd2l {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for add in (_train, _evaluate, _predict, _export, _import, _data, _sweep, _bench, _parity, _completion):
        add(commands)
    return top


def _train(commands: Any) -> None:
    what = "train a model and save its parameters, curves and mistakes"
    train = commands.add_parser("train", help=what, epilog=_TRAIN_EXAMPLES, formatter_class=_AS_WRITTEN)
    train.set_defaults(module="jaxd2l.cli.train")
    train.add_argument("model", choices=MODELS, metavar="MODEL", help=_MODELS)
    _add_training(train).add_argument("--optimizer", choices=OPTIMIZERS, help="as in torch.optim (default: sgd)")
    train.add_argument(
        "--lr",
        type=positive,
        help="learning rate (default for sgd: 0.5 on digits, 0.1 on fashion_mnist and tables, 0.03 on "
        "synthetic, the book's for networks of images; "
        "of the others: 0.001, but adagrad 0.01, adadelta 1, adamax and nadam 0.002)",
    )
    decay = "of weights, not biases (default: 0; for adamw 0.01)"
    train.add_argument("--weight-decay", type=fraction, metavar="DECAY", help=decay)
    train.add_argument(
        "--early-stopping", type=whole(1), metavar="N", help="stop after N epochs without a smaller validation loss"
    )
    train.add_argument("--seed", type=whole(0, 2**32 - 1), default=0, help="decides all randomness (default: 0)")
    train.add_argument("--out", type=Path, metavar="DIR", help="a new folder (default: out/MODEL-DATASET, numbered)")
    train.add_argument("--json", action="store_true", help="print the content of run.json and nothing else")
    train.add_argument("--checkpoint-dir", type=Path, metavar="DIR", help="keep the last three checkpoints here")
    train.add_argument("--checkpoint-every", type=whole(1), metavar="N", help="after every N epochs (default: 1)")
    train.add_argument(
        "--resume", action="store_true", help="continue from the newest intact checkpoint, or start if there is none"
    )
    train.add_argument(
        "--debug-nans", action="store_true", help="if the run diverges, name the first step and quantity"
    )
    several = train.add_argument_group("several devices and processes")
    several.add_argument("--devices", type=whole(1, 256), metavar="N", help="train on N devices (per process)")
    several.add_argument(
        "--coordinator",
        metavar="HOST:PORT",
        help="train with other processes, which meet where process 0 listens; auto: on clusters that JAX knows",
    )
    several.add_argument("--num-processes", type=whole(1), metavar="N", help="how many processes there are")
    several.add_argument("--process-id", type=whole(0), metavar="I", help="which of them this is, from 0")


def _evaluate(commands: Any) -> None:
    evaluate = commands.add_parser("evaluate", help="measure a trained model on the test set")
    evaluate.set_defaults(module="jaxd2l.cli.evaluate")
    _add_run_dir(evaluate)
    _add_best(evaluate)
    _add_json(evaluate)
    where = "where to draw the confusion matrix (default: RUN_DIR/confusion.png; with --json it is not drawn)"
    evaluate.add_argument("--out", type=Path, metavar="PNG", help=where)
    _add_data_dir(evaluate)


def _predict(commands: Any) -> None:
    predict = commands.add_parser("predict", help="show a trained model's predictions on test examples")
    predict.set_defaults(module="jaxd2l.cli.predict")
    _add_run_dir(predict)
    _add_best(predict)
    predict.add_argument(
        "--image", type=Path, metavar="FILE", help="a picture of your own: its classes, in place of test examples"
    )
    predict.add_argument("--count", type=whole(1), default=16, help="how many test examples (default: 16)")
    predict.add_argument("--out", type=Path, metavar="PNG", help="the picture (default: RUN_DIR/predictions.png)")
    _add_data_dir(predict)


def _export(commands: Any) -> None:
    export = commands.add_parser("export", help="write a trained model's parameters for the book's torch module")
    export.set_defaults(module="jaxd2l.cli.export")
    _add_run_dir(export)
    export.add_argument("--to", type=Path, required=True, metavar="PATH", help="the safetensors file to write")


def _import(commands: Any) -> None:
    import_ = commands.add_parser("import", help="make a run from a torch state_dict in safetensors")
    import_.set_defaults(module="jaxd2l.cli.import_torch")
    import_.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="of linear layers, with ReLU between those of an MLP, or of one of the book's networks",
    )
    import_.add_argument("--out", type=Path, metavar="DIR", help="a new folder (default: out/MODEL-DATASET, numbered)")


def _data(commands: Any) -> None:
    data = commands.add_parser("data", help="prepare a dataset, or look at it")
    actions = data.add_subparsers(required=True, metavar="ACTION")
    prepare = actions.add_parser("prepare", help="check and cache a dataset, so that it loads at once")
    prepare.set_defaults(module="jaxd2l.cli.data", action="prepare")
    prepare.add_argument("dataset", choices=("fashion_mnist",))
    prepare.add_argument("--from", dest="data_dir", type=Path, metavar="DIR", help="the folder with the official files")
    show = actions.add_parser("show", help="draw the first images of a dataset")
    show.set_defaults(module="jaxd2l.cli.data", action="show")
    show.add_argument("dataset", choices=IMAGE_DATASETS)
    show.add_argument("--out", type=Path, required=True, metavar="PNG", help="the picture to write")
    show.add_argument("--count", type=whole(1, 400), default=32, help="how many images (default: 32)")
    _add_data_dir(show)


def _sweep(commands: Any) -> None:
    sweep = commands.add_parser("sweep", help="train many seeds and hyperparameters at once, and find the best")
    sweep.set_defaults(module="jaxd2l.cli.sweep")
    sweep.add_argument("model", choices=MODELS, metavar="MODEL", help="as for train")
    _add_training(sweep).add_argument(
        "--optimizer", type=names(OPTIMIZERS), metavar="NAME[,NAME]", help="one, or several to compare (default: sgd)"
    )
    forms = "0.1 or 0.01,0.1,1 or FROM:TO:log:COUNT or FROM:TO:lin:COUNT"
    sweep.add_argument("--lr", type=values, required=True, metavar="VALUES", help=f"learning rates: {forms}")
    sweep.add_argument(
        "--weight-decay", type=values, metavar="VALUES", help="decays of weights, not biases, in the same form"
    )
    sweep.add_argument("--seeds", type=seeds, default=4, metavar="N", help="seeds 0 to N-1 (default: 4)")
    _add_json(sweep)
    sweep.add_argument("--plot", type=Path, metavar="PNG", help="draw a heat map")


def _bench(commands: Any) -> None:
    bench = commands.add_parser("bench", help="time an epoch in every way, in JAX and in torch, side by side")
    bench.set_defaults(module="jaxd2l.cli.bench")
    bench.add_argument("--suite", choices=("quick", "full"), default="quick", help="default: quick, a few minutes")
    bench.add_argument("--turns", type=whole(1), metavar="N", help="how often each way is timed (default: 5 or 9)")
    bench.add_argument("--verbose", action="store_true", help="measure and print more than a row for each way")
    _add_json(bench)
    bench.add_argument("--markdown", type=Path, metavar="PATH", help="write tables as Markdown")
    bench.add_argument("--plot", type=Path, metavar="DIR", help="draw pictures into a folder")


def _parity(commands: Any) -> None:
    parity = commands.add_parser(
        "parity",
        help="compare our functions, or your own port, with PyTorch",
        epilog=about_specs(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parity.set_defaults(module="jaxd2l.cli.parity")
    parity.add_argument(
        "spec",
        type=Path,
        nargs="?",
        metavar="SPEC.py",
        help="a Python file with arguments of parity.check, listed below; without it our own suite runs",
    )
    _add_json(parity)
    parity.add_argument("--markdown", type=Path, metavar="PATH", help="write the report as Markdown")
    parity.add_argument("--html", type=Path, metavar="PATH", help="write the report as a page with plots")
    parity.add_argument("--strict", action="store_true", help="fail also if the check left something open")
    parity.add_argument("--only", metavar="NAME", help="only the suite's cases with this in their names")


def _completion(commands: Any) -> None:
    completion = commands.add_parser(
        "completion",
        help="print a script that lets a shell complete commands and options",
        epilog='bash: eval "$(jaxd2l completion bash)" in ~/.bashrc; zsh: into a file _jaxd2l in a folder of $fpath',
    )
    completion.set_defaults(module="jaxd2l.cli.completion")
    completion.add_argument("shell", choices=SHELLS)


def _add_training(command: argparse.ArgumentParser) -> Any:
    """What `train` and `sweep` have in common; returns the group of what is said about the optimiser."""
    command.add_argument(
        "--dataset",
        choices=DATASETS,
        help=_DATASETS,
    )
    command.add_argument("--data", type=Path, metavar="CSV", help="a table of your own, with a line of names")
    command.add_argument("--target", metavar="NAME", help="the column of --data to predict")
    command.add_argument("--kind", choices=("classes", "numbers"), help="what it holds, where that is in doubt")
    command.add_argument(
        "--epochs",
        type=whole(1),
        help="passes over the training set (default: 15; fashion_mnist 10, synthetic 3, a table 20)",
    )
    command.add_argument("--batch-size", type=whole(1), help="examples per step (default: 32; for fashion_mnist 256)")
    command.add_argument(
        "--hidden", type=sizes, metavar="N[,N]", help="units per hidden layer of an MLP (default: 256)"
    )
    command.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="of the factors in matrix products; parameters, sums and loss are float32 (default: float32)",
    )
    _add_data_dir(command)
    return _add_optimizer(command)


def _add_optimizer(command: argparse.ArgumentParser) -> Any:
    """What of a run's optimiser, schedule and regularisation one value decides, in a sweep too."""
    how = command.add_argument_group("optimiser, schedule and regularisation")
    how.add_argument("--momentum", type=fraction, help="of sgd or rmsprop (default: 0)")
    how.add_argument("--nesterov", action="store_true", default=None, help="look ahead along the momentum")
    how.add_argument(
        "--schedule",
        choices=SCHEDULES,
        help="of the learning rate: cosine to 0, or a tenth after 50%% and 75%% of the epochs (default: constant)",
    )
    how.add_argument("--warmup", type=whole(0), metavar="N", help="epochs in which the rate rises from 0 (default: 0)")
    how.add_argument("--dropout", type=fraction, metavar="RATE", help="of each hidden layer's outputs (default: 0)")
    how.add_argument("--activation", choices=ACTIVATIONS, help="of the hidden layers (default: relu)")
    how.add_argument(
        "--init",
        choices=INITS,
        help="of the weights (default: normal, the book's N(0, 0.01^2); with more than one hidden "
        "layer, where that is too small, kaiming; for networks of images book, the book's choice for each)",
    )
    how.add_argument(
        "--validation",
        type=fraction,
        metavar="FRACTION",
        help="of the training set, held out to measure each epoch; "
        "the test set is then measured once, at the end (default: 0; for sweep 0.1)",
    )
    return how


def _add_run_dir(command: argparse.ArgumentParser) -> None:
    command.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="a folder that `jaxd2l train` made")


def _add_best(command: argparse.ArgumentParser) -> None:
    command.add_argument("--best", action="store_true", help="with the parameters of the best epoch, not of the last")


def _add_data_dir(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="the folder with Fashion-MNIST's files (default: JAXD2L_DATA_DIR)"
    )


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON and nothing else")
