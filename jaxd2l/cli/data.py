"""`jaxd2l data`: prepare a dataset once, and look at it."""

import argparse

import numpy as np

from jaxd2l import plots
from jaxd2l._files import write_file
from jaxd2l._process.exit_codes import ExitCode
from jaxd2l.cli import setups
from jaxd2l.cli.output import say
from jaxd2l.data import prepare_fashion_mnist


def run(options: argparse.Namespace) -> ExitCode:
    """Carries out `prepare` or `show`."""
    if options.action == "prepare":
        say(f"fashion_mnist is ready in {prepare_fashion_mnist(data_dir=options.data_dir)}")
        return ExitCode.OK
    dataset = setups.load(options.dataset, options.data_dir)
    images, labels = dataset.train
    count = min(options.count, len(images))
    titles = [dataset.class_names[label] for label in labels[:count]]
    write_file(options.out, plots.png(plots.image_grid(np.asarray(images)[:count], titles=titles)))
    say(f"the first {count} training images of {options.dataset} are drawn in {options.out}")
    return ExitCode.OK
