"""`jaxd2l evaluate`: measure a trained model on the whole test set, and draw what it takes for what."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.table import Table

from jaxd2l import metrics, plots
from jaxd2l._files import write_file
from jaxd2l._process.exit_codes import ExitCode
from jaxd2l._process.streams import printable
from jaxd2l.cli import folders, runs
from jaxd2l.cli.output import console
from jaxd2l.train import evaluate, predict


def run(options: argparse.Namespace) -> ExitCode:
    """Prints the loss and, for a classifier, the accuracy and the rates of each class; draws its confusion matrix."""
    trained = runs.load_run(options.run_dir, options.data_dir, best=options.best)
    names, test = trained.dataset.class_names, trained.dataset.test
    loss, accuracy = evaluate(trained.model, trained.loss, trained.params, test, model_state=trained.model_state)
    result: dict[str, Any] = {"test_loss": float(loss), "examples": len(test.labels)}
    table = Table(title=f"{options.run_dir}: {len(test.labels)} test examples, loss {float(loss):.4f}")
    if names:
        outputs = predict(trained.model, trained.params, test.inputs, model_state=trained.model_state)
        predicted = np.asarray(outputs).argmax(-1)
        confusion = metrics.confusion_matrix(predicted, test.labels, len(names))
        rates = {f.__name__: f for f in (metrics.precision, metrics.recall, metrics.f1_score, metrics.specificity)}
        per_class = {name: np.asarray(rate(confusion, average=None)) for name, rate in rates.items()}
        result |= {"test_accuracy": float(accuracy)}
        result |= {f"macro_{name}": float(values.mean()) for name, values in per_class.items()}
        result |= {"confusion_matrix": confusion, "class_names": names}
        for heading in ("class", *rates):
            table.add_column(heading, justify="left" if heading == "class" else "right")
        for i, class_name in enumerate(names):
            table.add_row(class_name, *(f"{values[i]:.4f}" for values in per_class.values()))
        table.add_section()
        table.add_row("mean", *(f"{values.mean():.4f}" for values in per_class.values()))
        table.caption = f"accuracy {float(accuracy):.4f}"
    if options.json:
        print(runs.to_json(result))
    else:
        console().print(table if names else table.title)
    if names and (options.out or not options.json):
        picture = options.out or options.run_dir / folders.CONFUSION
        content = _picture(np.asarray(confusion), names, trained.record["arguments"])
        write_file(picture, content, follow=options.out is not None)
        print(printable(f"the confusion matrix: {picture}"), file=sys.stderr if options.json else sys.stdout)
    return ExitCode.OK


def _picture(confusion: np.ndarray, names: Sequence[str], arguments: dict[str, Any]) -> bytes:
    right, count = int(confusion.trace()), int(confusion.sum())
    title = f"{arguments['model']} on {arguments['dataset']}: {count - right} of {count} wrong"
    return plots.png(plots.confusion_matrix(confusion, class_names=names, title=title))
