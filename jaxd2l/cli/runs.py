"""A run on disk: parameters, pictures and run.json in one folder. run.json comes last: it means that all is there."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxd2l._environment import environment
from jaxd2l._files import write_file
from jaxd2l.cli import setups
from jaxd2l.train.checkpoint import load_params
from jaxd2l.types import Dataset, Loss, Model, Params

PARAMS, RECORD = "params.safetensors", "run.json"
BEST = "best.safetensors"
CONFUSION, PREDICTIONS = "confusion.png", "predictions.png"
_MADE_BY_TRAINING = {PARAMS, BEST, RECORD, "curves.png", "mistakes.png"}
_MADE_AFTERWARDS = {CONFUSION, PREDICTIONS}


class Run(NamedTuple):
    """A finished run, read back and ready to use."""

    record: dict[str, Any]
    dataset: Dataset
    model: Model
    loss: Loss
    params: Params


@contextmanager
def new_folder(
    chosen: Path | None, model: str, dataset: str, resumed: Mapping[str, Any] | None = None
) -> Iterator[Path]:
    """A new folder for a run: the chosen one, or the first free one of out/MODEL-DATASET, -2, -3, ...

    It is removed if nothing is in it at the end.

    A run resumed with the arguments `resumed` may also take a chosen folder that holds only what the same run left
    there when it was killed while saving its results, or finished with as many epochs or fewer, and the pictures that
    `evaluate` and `predict` made of it.

    Raises:
      ValueError: the chosen folder is not empty; runs never overwrite each other.
    """
    folder = _create_folder(chosen, model, dataset, resumed)
    try:
        yield folder
    finally:
        with suppress(OSError):  # it is not empty
            folder.rmdir()


def _create_folder(chosen: Path | None, model: str, dataset: str, resumed: Mapping[str, Any] | None) -> Path:
    if chosen is not None:
        if chosen.is_dir() and any(chosen.iterdir()) and not (resumed and _is_of_the_same_run(chosen, resumed)):
            raise ValueError(f"{chosen} is not empty; choose a new folder, so that no earlier run is overwritten")
        chosen.mkdir(parents=True, exist_ok=True)
        return chosen
    number = 1
    while True:
        folder = Path("out", f"{model}-{dataset}" + (f"-{number}" if number > 1 else ""))
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder


def _is_of_the_same_run(folder: Path, arguments: Mapping[str, Any]) -> bool:
    names, known = {path.name for path in folder.iterdir()}, _MADE_BY_TRAINING | _MADE_AFTERWARDS
    if any(re.sub(r"^\.(.*)\.\w+$", r"\1", name) not in known for name in names):  # or begun to be made
        return False
    if RECORD not in names:
        return True
    try:
        there = json.loads((folder / RECORD).read_bytes())["arguments"]
        here = json.loads(to_json(dict(arguments)))
        there = setups.Settings._field_defaults | {"target": None, "kind": None} | there
        decisive = [name for name in here if name not in ("epochs", "data_dir", "data")]
        return there["epochs"] <= here["epochs"] and all(there[name] == here[name] for name in decisive)
    except (ValueError, KeyError, TypeError):
        return False


def unfinish(folder: Path) -> None:
    """Removes what shows the earlier parameters and what a killed process left, before a run is saved again."""
    for path in (folder / RECORD, *(folder / name for name in _MADE_AFTERWARDS), *folder.glob(".*.*")):
        path.unlink(missing_ok=True)


def made_with() -> dict[str, Any]:
    """What run.json says about versions and hardware."""
    here = environment("python", "jaxd2l", "jax", "jaxlib", "flax", "optax", "numpy", "tensorflow-datasets")
    device = {"platform": here.platform, "kind": here.kind, "count": here.devices}
    return {"versions": here.versions, "device": {**device, "machine": here.machine, "system": here.system}}


def to_json(record: dict[str, Any]) -> str:
    """Standard JSON; NaN and infinity, which it does not have, become null."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        if isinstance(value, np.ndarray | np.generic | jax.Array):
            return plain(np.asarray(value).tolist())
        if isinstance(value, Path):
            return str(value)
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return value

    return json.dumps(plain(record), indent=2, allow_nan=False, ensure_ascii=False)


def save_record(folder: Path, record: dict[str, Any]) -> None:
    """Writes run.json, which says that the run is whole."""
    write_file(folder / RECORD, (to_json(record) + "\n").encode())


def load_run(folder: Path, data_dir: Path | None, *, best: bool = False) -> Run:
    """Reads a run back: with its last parameters, or those of its best epoch.

    Raises:
      FileNotFoundError: the folder holds no run.
      ValueError: its files are damaged, or belong to different models.
    """
    record = load_record(folder)
    arguments = record["arguments"]
    model_name, dataset_name, hidden = (arguments[name] for name in ("model", "dataset", "hidden"))
    saved_dir = arguments.get("data_dir")
    if arguments.get("data"):
        dataset = setups.table(Path(arguments["data"]), arguments["target"], model_name, arguments.get("kind"))
    else:
        dataset = setups.load(dataset_name, data_dir or (Path(saved_dir) if saved_dir else None))
    known = {name: arguments[name] for name in setups.Settings._fields if name in arguments}
    settings = setups.SETTINGS["digits"]._replace(**known)
    model, loss = setups.build(model_name, hidden, dataset, arguments.get("precision", "float32"), settings)
    params = load_params(folder / (BEST if best else PARAMS), like=jax.eval_shape(model.init, jax.random.key(0)))
    return Run(record, dataset, model, loss, params)


def load_record(folder: Path) -> dict[str, Any]:
    """Reads a run's run.json.

    Raises:
      FileNotFoundError: the folder holds no run.
      ValueError: run.json does not say what was trained.
    """
    path = folder / RECORD
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no finished run: {RECORD} is missing; `jaxd2l train --out {folder}` makes one"
        )
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
        for name in ("model", "dataset", "hidden"):
            record["arguments"][name]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged or not made by jaxd2l: {error!r}") from error
    return record
