"""The arrays in what a model returns, by name: tuples, dictionaries and dataclasses of any depth, on both sides."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any


def named_arrays(value: Any, name: str = "outputs") -> Iterator[tuple[str, Any]]:
    """Every array in a value, as (name, array): "outputs", "outputs[0]", "outputs.logits".

    Fields of dataclasses and named tuples and the items of dictionaries are named, those of tuples and lists counted.
    None, numbers and objects of any other kind are left out.

    >>> import numpy as np
    >>> [name for name, _ in named_arrays({"logits": np.ones(2), "states": (np.ones(1), None)})]
    ['outputs.logits', 'outputs.states[0]']
    """
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from named_arrays(item, f"{name}.{key}")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from named_arrays(getattr(value, field.name), f"{name}.{field.name}")
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        for field, item in zip(value._fields, value, strict=True):
            yield from named_arrays(item, f"{name}.{field}")
    elif isinstance(value, tuple | list):
        for i, item in enumerate(value):
            yield from named_arrays(item, f"{name}[{i}]")


def matched(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, str]:
    """Which of JAX's arrays is which of torch's, by name; by order if no name of the one is a name of the other.

    Raises:
      ValueError: if one side has arrays that the other lacks.

    >>> matched({"outputs": 1}, {"outputs[0]": 2})
    {'outputs': 'outputs[0]'}
    """
    if set(theirs) == set(ours):
        return {name: name for name in theirs}
    if len(theirs) == len(ours) and not set(theirs) & set(ours):
        return dict(zip(theirs, ours, strict=True))
    raise ValueError(
        f"torch returns {list(theirs)} and JAX {list(ours)}; choose what to compare with "
        "outputs=(torch_function, jax_function)"
    )
