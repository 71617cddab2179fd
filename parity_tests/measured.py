"""Measurements that take minutes, kept in `measured.json` together with the machine and the versions."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from jaxd2l._process.environment import environment

PATH = Path(__file__).with_name("measured.json")


class Planted(NamedTuple):
    """A planted defect, and who found it; see `Found` in `mutations.judging`."""

    function: str
    name: str
    ours: bool
    float32: bool
    float64: bool
    has_outputs: bool


def read() -> dict[str, Any]:
    """Everything on record; each entry has `on` (machine and versions) and `result`."""
    recorded: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8")) if PATH.exists() else {}
    return recorded


def planted_defects() -> list[Planted]:
    """The planted defects on record."""
    return [Planted(*row) for row in read().get("mutations", {"result": []})["result"]]


def write(name: str, result: Any) -> None:
    """Records a result under its name, in place of the one before."""
    recorded = {**read(), name: {"on": machine(), "result": result}}
    PATH.write_text(json.dumps(recorded, indent=1) + "\n", encoding="utf-8")


def machine() -> str:
    """Processor family and the versions that decide numbers."""
    here = environment("jax", "torch", "optax", "numpy")
    return ", ".join([here.machine, *(f"{name} {version}" for name, version in here.versions.items())])
