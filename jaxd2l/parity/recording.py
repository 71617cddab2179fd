"""What torch computed, on file: written where torch is, read where it is not. Needs no torch."""

import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from jaxd2l._files import write_file
from jaxd2l.parity.quantities import Values
from jaxd2l.parity.samples import Call, Sample

_FORMAT = "jaxd2l.parity.recording/2"


class Recording(NamedTuple):
    """Torch's side of a check.

    start: parameters and buffers.
    outputs: by name, in float32.
    exact, single, scales: every quantity in float64 and in float32, and its condition scale; a training run in
      float64 alone.
    sample: the batch.
    facts: names of the `parameters` and of those `trained`, the `seed`, whether there was a `loss` and an
      `optimiser`, the `steps` of its run, the `versions`.
    """

    start: Values
    outputs: Values
    exact: Values
    single: Values
    scales: Values
    sample: Sample
    facts: dict[str, Any]


def write(recording: Recording, path: str | os.PathLike[str]) -> None:
    """Writes a safetensors file. Raises OSError if it cannot."""
    arrays = {f"{part}/{name}": x for part in _PARTS for name, x in getattr(recording, part).items()}
    arrays |= {f"args/{i}": x for i, x in enumerate(recording.sample.call.args)}
    arrays |= {f"kwargs/{name}": x for name, x in recording.sample.call.kwargs.items()}
    arrays["labels/"] = recording.sample.labels
    facts = {"format": _FORMAT, "facts": json.dumps(recording.facts)}
    write_file(path, safetensors.numpy.save({name: x.copy(order="C") for name, x in arrays.items()}, facts))


def read(path: str | os.PathLike[str]) -> Recording:
    """Reads what `write` wrote.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it is no recording.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no file {os.fspath(path)}")
    try:
        with safetensors.safe_open(path, "np") as file:
            facts = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dictionary
    except safetensors.SafetensorError as error:
        raise ValueError(f"{os.fspath(path)} is no recording of parity.record: {error}") from error
    if facts.get("format") != _FORMAT:
        raise ValueError(f"{os.fspath(path)} is no recording of parity.record, or one of another version")
    parts: dict[str, Values] = {part: {} for part in (*_PARTS, "args", "kwargs", "labels")}
    for name, x in arrays.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = x
    args = tuple(parts["args"][str(i)] for i in range(len(parts["args"])))
    sample = Sample(Call(args, dict(parts["kwargs"])), parts["labels"][""])
    start, outputs, exact, single, scales = (parts[part] for part in _PARTS)
    return Recording(start, outputs, exact, single, scales, sample, json.loads(facts["facts"]))


def after_run(taken: Iterator[Any], steps: int, names: Iterable[str]) -> Values:
    """Named parameters after so many training steps, and the loss of each step."""
    losses = []
    for step in islice(taken, steps):
        losses.append(step.loss)
    last = {f"{name} after {steps} steps": step.parameters[name] for name in names}
    return {f"losses of {steps} steps": np.array(losses)} | last


_PARTS = ("start", "outputs", "exact", "single", "scales")
