"""A run on disk: parameters, pictures and run.json in one folder. run.json comes last: it means that all is there."""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxd2l._files import write_file
from jaxd2l._process.environment import environment
from jaxd2l.cli import folders, record, setups
from jaxd2l.cli.folders import BEST, PARAMS, RECORD
from jaxd2l.train.checkpoint import load_params
from jaxd2l.types import Dataset, Loss, Model, ModelState, Params, StatefulModel

_MOST_BYTES = 2**30
"""More than the history of any run takes; what is read must fit into memory."""


class Run(NamedTuple):
    """A finished run, read back and ready to use."""

    record: dict[str, Any]
    dataset: Dataset
    model: Model | StatefulModel
    loss: Loss
    params: Params
    model_state: ModelState = ()


def is_of_the_same_run(folder: Path, arguments: Mapping[str, Any]) -> bool:
    """Whether a folder holds nothing that a run with these arguments, resumed, may not replace.

    That is what the same run left there when it finished with as many epochs or fewer.
    """
    if not (folder / RECORD).exists():
        return True
    try:
        there = load_record(folder)["arguments"]
    except ValueError:
        return False
    here = json.loads(to_json(dict(arguments)))
    there = setups.Settings._field_defaults | {"target": None, "kind": None} | there
    decisive = [name for name in here if name not in ("epochs", "data_dir", "data")]
    return there.get("epochs", math.inf) <= here["epochs"] and all(there.get(name) == here[name] for name in decisive)


def made_with() -> dict[str, Any]:
    """What run.json says about versions and hardware."""
    here = environment("python", "jaxd2l", "jax", "jaxlib", "flax", "optax", "numpy", "tensorflow-datasets")
    device = {"platform": here.platform, "kind": here.kind, "count": here.devices, "threads": here.threads}
    device |= {"processor": here.cpu, "vectors": here.vectors, "machine": here.machine, "system": here.system}
    return {"versions": here.versions, "device": device, "options": here.options}


def to_json(values: dict[str, Any]) -> str:
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

    text = json.dumps(plain(values), indent=2, allow_nan=False, ensure_ascii=False)
    # Names of files need not be text, and a name that others gave must not steer the terminal.
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def save_record(folder: Path, content: dict[str, Any]) -> None:
    """Writes run.json, which says that the run is whole."""
    write_file(folder / RECORD, (to_json(content) + "\n").encode())


def load_run(folder: Path, data_dir: Path | None, *, best: bool = False) -> Run:
    """Reads a run back: with its last parameters, or those of its best epoch.

    Raises:
      FileNotFoundError: the folder holds no run.
      ValueError: its files are damaged, or belong to different models.
    """
    found = load_record(folder)
    arguments = found["arguments"]
    model_name, dataset_name, hidden = (arguments[name] for name in ("model", "dataset", "hidden"))
    saved_dir = arguments.get("data_dir")
    if arguments.get("data"):
        dataset = setups.table(Path(arguments["data"]), arguments["target"], model_name, arguments.get("kind"))
    else:
        dataset = setups.load(dataset_name, data_dir or (Path(saved_dir) if saved_dir else None), model_name)
    known = {name: arguments[name] for name in setups.Settings._fields if name in arguments}
    settings = setups.SETTINGS["digits"]._replace(**known)
    model, loss = setups.build(model_name, hidden, dataset, arguments.get("precision", "float32"), settings)
    file, like = folder / (BEST if best else PARAMS), jax.eval_shape(model.init, jax.random.key(0))
    if isinstance(model, StatefulModel):
        params, state = like
        held = load_params(file, like={"params": params, "state": state})
        return Run(found, dataset, model, loss, held["params"], held["state"])
    return Run(found, dataset, model, loss, load_params(file, like=like))


def variables(params: Params, model_state: ModelState) -> Any:
    """What a file of parameters holds; running averages are in it, too, if the model has some."""
    return {"params": params, "state": model_state} if jax.tree.leaves(model_state) else params


def load_record(folder: Path) -> dict[str, Any]:
    """Reads a run's run.json.

    Raises:
      FileNotFoundError: the folder holds no run.
      ValueError: run.json does not say what was trained.
    """
    # Where it is not ours to write to, or held by the one who is about to finish it, there is nothing to do.
    with suppress(OSError, RuntimeError), folders.held(folder):
        folders.finish(folder)
    path = folder / RECORD
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no finished run: {RECORD} is missing; `jaxd2l train --out {folder}` makes one"
        )
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path} is damaged or not made by jaxd2l: it has {path.stat().st_size} bytes")
    try:
        return record.checked(json.loads(path.read_bytes()))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged or not made by jaxd2l: {error}") from error
