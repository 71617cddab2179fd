"""What a run shows at the end: a table and two pictures."""

from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from jaxd2l.types import Dataset, History

_MAX_MISTAKES = 32


def summary_table(record: dict[str, Any], folder: Path) -> Table:
    """Times, results and files."""
    arguments, seconds, results = record["arguments"], record["seconds"], record["results"]
    table = Table(title=f"{arguments['model']} on {arguments['dataset']}, {len(seconds['epochs'])} epochs")
    table.add_column("quantity")
    table.add_column("value")
    table.add_row("compile time", f"{seconds['compile']:.2f} s")
    table.add_row("time per epoch", f"{np.median(seconds['epochs']):.4f} s (median, with evaluation)")
    for name in ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy", "macro_f1"):
        if name in results:
            table.add_row(name.replace("_", " ").replace("f1", "F1"), f"{results[name]:.4f}")
    if record["best"]:
        name, value = list(record["best"].items())[-1]
        table.add_row("best epoch", f"{record['best']['after_epoch']}, {name.replace('_', ' ')} {value:.4f}")
    if "error_of_w" in results:
        table.add_row("error of w", np.array2string(results["error_of_w"], precision=4))
        table.add_row("error of b", f"{results['error_of_b']:.4f}")
    table.add_row("saved in", str(folder), end_section=True)
    for path in sorted(folder.iterdir()):
        table.add_row("", path.name)
    return table


def curves_picture(record: dict[str, Any], history: History) -> bytes:
    """The curves of the run as a PNG."""
    from jaxd2l import plots

    a = record["arguments"]
    title = f"{a['model']} on {a['dataset']}: batch size {a['batch_size']}, learning rate {a['lr']:g}, seed {a['seed']}"
    measured = "validation" if a["validation"] else "test"
    return plots.png(plots.training_curves(history, title=title, measured=measured))


def mistakes_picture(outputs: np.ndarray, dataset: Dataset) -> bytes:
    """The first misclassified test images, with true and predicted names, as a PNG."""
    predicted, labels = outputs.argmax(-1), np.asarray(dataset.test.labels)
    wrong = np.flatnonzero(predicted != labels)
    title = f"{len(wrong)} of {len(labels)} wrong"
    if not wrong.size:  # show what went right
        wrong = np.arange(len(labels))
    shown = wrong[:_MAX_MISTAKES]
    title += f"; the first {len(shown)}" if len(shown) < len(wrong) else ""
    return examples_picture(shown, predicted, dataset, title)


def examples_picture(which: np.ndarray, predicted: np.ndarray, dataset: Dataset, title: str) -> bytes:
    """Chosen test images with true and predicted names, as a PNG."""
    from jaxd2l import plots

    names = dataset.class_names
    titles = [f"true: {names[dataset.test.labels[i]]}\npred.: {names[predicted[i]]}" for i in which]
    return plots.png(plots.image_grid(np.asarray(dataset.test.inputs)[which], titles=titles, title=title))
