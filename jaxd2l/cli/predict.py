"""`jaxd2l predict`: a trained model's predictions on test examples, in a table and a picture."""

import argparse
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from rich.table import Table

from jaxd2l._files import write_file
from jaxd2l._process.exit_codes import ExitCode
from jaxd2l.activations import softmax
from jaxd2l.cli import folders, runs
from jaxd2l.cli.output import console
from jaxd2l.cli.report import examples_picture
from jaxd2l.train import predict


def run(options: argparse.Namespace) -> ExitCode:
    """Prints targets and predictions of the first test examples, and draws them if they are images."""
    trained = runs.load_run(options.run_dir, options.data_dir, best=options.best)
    if options.image is not None:
        return _classify(options.image, trained)
    names, test = trained.dataset.class_names, trained.dataset.test
    count = min(options.count, len(test.labels))
    outputs = predict(trained.model, trained.params, test.inputs[:count], model_state=trained.model_state)
    table = Table(title=f"{options.run_dir}: the first {count} test examples")
    if not names:
        for heading in ("example", "target", "prediction"):
            table.add_column(heading, justify="right")
        for i, (target, output) in enumerate(zip(test.labels[:count], np.asarray(outputs), strict=True)):
            table.add_row(str(i), f"{target.item():.4f}", f"{output.item():.4f}")
        console().print(table)
        return ExitCode.OK
    probabilities = np.asarray(softmax(jnp.asarray(outputs)))
    predicted = probabilities.argmax(-1)
    for heading in ("example", "true", "predicted", "probability", "right"):
        table.add_column(heading)
    for i in range(count):
        right = "yes" if predicted[i] == test.labels[i] else "no"
        row = (str(i), names[test.labels[i]], names[predicted[i]], f"{probabilities[i, predicted[i]]:.3f}", right)
        table.add_row(*row)
    console().print(table)
    right = f"{int((predicted == test.labels[:count]).sum())} of {count} right"
    if np.ndim(test.inputs) == 4:
        picture = options.out or options.run_dir / folders.PREDICTIONS
        content = examples_picture(np.arange(count), predicted, trained.dataset, right)
        write_file(picture, content, follow=options.out is not None)
        right += f"; the picture: {picture}"
    console().print(right)
    return ExitCode.OK


def _classify(path: Path, trained: runs.Run) -> ExitCode:
    """Prints the most probable classes of a picture."""
    names, shape = trained.dataset.class_names, trained.dataset.test.inputs.shape[1:]
    if len(shape) != 3:
        raise ValueError("--image is for models of images; this one predicts from a table")
    image = _read_image(path, shape[0], shape[1])[None]
    outputs = predict(trained.model, trained.params, image, model_state=trained.model_state)
    probabilities = np.asarray(softmax(jnp.asarray(outputs)))[0]
    table = Table(title=f"{path}: the most probable classes")
    for heading in ("class", "probability"):
        table.add_column(heading)
    for i in np.argsort(-probabilities)[:3]:
        table.add_row(names[i], f"{probabilities[i]:.3f}")
    console().print(table)
    return ExitCode.OK


def _read_image(path: Path, height: int, width: int) -> np.ndarray:
    """A picture as the datasets have theirs: grey, of their size, light on a dark ground."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            grey = picture.convert("L").resize((width, height), Image.Resampling.BOX)
    except UnidentifiedImageError as error:
        raise ValueError(f"{path} is no picture that can be read") from error
    pixels = np.array(grey, np.uint8)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return (255 - pixels if np.median(edge) > 127 else pixels)[..., None]
