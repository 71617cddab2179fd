"""`jaxd2l predict`: a trained model's predictions on test examples, in a table and a picture."""

import argparse

import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from jaxd2l._exit_codes import ExitCode
from jaxd2l._files import write_file
from jaxd2l.activations import softmax
from jaxd2l.cli import runs
from jaxd2l.cli.report import examples_picture
from jaxd2l.train import predict


def run(options: argparse.Namespace) -> ExitCode:
    """Prints targets and predictions of the first test examples, and draws them if they are images."""
    trained = runs.load_run(options.run_dir, options.data_dir, best=options.best)
    names, test = trained.dataset.class_names, trained.dataset.test
    count = min(options.count, len(test.labels))
    outputs = predict(trained.model, trained.params, test.inputs[:count])
    table = Table(title=f"{options.run_dir}: the first {count} test examples")
    if not names:
        for heading in ("example", "target", "prediction"):
            table.add_column(heading, justify="right")
        for i, (target, output) in enumerate(zip(test.labels[:count], np.asarray(outputs), strict=True)):
            table.add_row(str(i), f"{target.item():.4f}", f"{output.item():.4f}")
        Console().print(table)
        return ExitCode.OK
    probabilities = np.asarray(softmax(jnp.asarray(outputs)))
    predicted = probabilities.argmax(-1)
    for heading in ("example", "true", "predicted", "probability", "right"):
        table.add_column(heading)
    for i in range(count):
        right = "yes" if predicted[i] == test.labels[i] else "no"
        row = (str(i), names[test.labels[i]], names[predicted[i]], f"{probabilities[i, predicted[i]]:.3f}", right)
        table.add_row(*row)
    console = Console()
    console.print(table)
    right = f"{int((predicted == test.labels[:count]).sum())} of {count} right"
    if np.ndim(test.inputs) == 4:
        picture = options.out or options.run_dir / runs.PREDICTIONS
        write_file(picture, examples_picture(np.arange(count), predicted, trained.dataset, right))
        right += f"; the picture: {picture}"
    console.print(right)
    return ExitCode.OK
