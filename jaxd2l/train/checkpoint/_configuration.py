"""What makes two runs the same run: everything that decides their bits, as plain values that can be compared."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from jaxd2l._checks import runs
from jaxd2l._checks.values import random_key
from jaxd2l._process.environment import environment
from jaxd2l.types import Dataset

_MOST_NAMED, _LONGEST = 12, 120


def describe(dataset: Dataset, /, *, key: PRNGKeyArray, batch_size: int, **arguments: Any) -> dict[str, Any]:
    """A run's configuration, for `save` to keep and `restore` to compare.

    Args:
      dataset: what the run trains on; its bytes enter as a SHA-256.
      key: the one given to `fit`.
      batch_size: the one given to `fit`.
      **arguments: everything else that decides the result and does not show in arrays: the names of the model and
        the loss, the activation, the optimiser and its numbers, as JSON values.

    Raises:
      TypeError: no dataset, no key, or a value that JSON does not have.

    >>> configuration = describe(digits(), key=jax.random.key(7), batch_size=32, model="softmax", lr=0.5)
    >>> configuration["key"], configuration["lr"]
    ('threefry2x32 0 7', 0.5)
    """
    dataset = runs.dataset(dataset)
    key = random_key("key", key)
    key_words = " ".join(map(str, np.asarray(jax.random.key_data(key)).tolist()))
    own = {"batch_size": batch_size, "key": f"{jax.random.key_impl(key)} {key_words}", "data": digest(dataset)}
    own |= {"examples": len(dataset.train.inputs)}
    described: dict[str, Any] = json.loads(json.dumps(arguments | own))  # as it will be when it is read back
    return described


def digest(dataset: Dataset) -> str:
    """SHA-256 over both sets (dtypes, shapes and bytes) and the names of the classes."""
    sha = hashlib.sha256(json.dumps(dataset.class_names).encode())
    for array in (*dataset.train, *dataset.test):
        host = np.ascontiguousarray(array)
        sha.update(f"{host.dtype.str}{host.shape}".encode())
        sha.update(host.reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


def surroundings() -> dict[str, str]:
    """What bits may depend on although it is not part of the run: versions, the device, and what steers XLA and JAX."""
    here = environment("jaxd2l", "jax", "jaxlib", "optax", "orbax-checkpoint")
    device = {"device": f"{here.devices} x {here.platform} {here.kind}"}
    if here.platform == "cpu":
        device |= {"threads": str(here.threads), "processor": here.cpu, "vector instructions": here.vectors}
    return here.versions | device | here.options


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The values in which two configurations differ, as text; empty if they do not.

    >>> differences({"hidden": [256], "lr": 0.1}, {"hidden": [128], "lr": 0.1})
    'hidden: 256 there, 128 here'
    """
    names = [n for n in {**there, **here} if n not in there or n not in here or there[n] != here[n]]
    parts = [f"{name}: {_plain(there, name)} there, {_plain(here, name)} here" for name in names[:_MOST_NAMED]]
    if len(names) > _MOST_NAMED:
        parts.append(f"and {len(names) - _MOST_NAMED} more")
    return "; ".join(parts)


def _plain(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if value is None or value == "":
        return "none"
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    return text if text.isprintable() else repr(text)  # a forged file must not steer the terminal
