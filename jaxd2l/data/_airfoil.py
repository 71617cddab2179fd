"""The noise of airfoils in a wind tunnel (D2L 12.5): NASA's measurements, and made-up ones of the same columns."""

import os

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from jaxd2l._checks.numbers import require_whole
from jaxd2l._checks.values import random_key
from jaxd2l.data._book_files import URL, verified
from jaxd2l.data._official_files import OfficialFiles
from jaxd2l.types import Batch, Dataset

SHA1 = {"airfoil_self_noise.dat": "76e5be1548fd8222e5074cf0faae75edff8cf93f"}
FILES = OfficialFiles("airfoil", "airfoil", URL, tuple(SHA1))
_NUM_ROWS = 1500  # of the file's 1503, as the book takes them


def airfoil(*, data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """NASA's 1503 measurements of the noise of airfoils: the first 1500, standardised, as the book uses them. D2L 12.5.

    The features are the frequency in Hz, the angle of attack in degrees, the chord in m, the speed of the air in m/s
    and the displacement thickness in m. The target is the sound pressure level in dB. Of every column, the target
    too, the mean of all 1503 rows is subtracted, and the rest is divided by the standard deviation (ddof 0).

    The book measures optimisers by the loss on the examples that they train on: `test` is `train`.

    Args:
      data_dir: a folder that holds airfoil_self_noise.dat, itself or in a subfolder `airfoil`. It is only read.
        Default: the environment variable JAXD2L_DATA_DIR; without it, a download into the cache folder.

    Returns:
      Features float32 (1500, 5) and targets float32 (1500, 1).

    Raises:
      FileNotFoundError: the named folder lacks the file.
      ValueError: the file is damaged.
      ConnectionError: no folder is named, nothing is cached and the server cannot be reached.
      OSError: the cache folder cannot be written to.

    Example::

        airfoil().train.inputs[0]  # [-0.662, -1.146, 1.799, 1.313, -0.645]
    """
    [name] = FILES.names
    folder = verified(FILES, SHA1, data_dir, "airfoil(data_dir=DIR)")
    return _standardized(np.loadtxt(folder / name, delimiter="\t"), _NUM_ROWS)


def made_up_airfoil(key: PRNGKeyArray, *, n: int = 1500) -> Dataset:
    """Random numbers in the columns, ranges and units of `airfoil`, for where its file is not at hand. D2L 12.5.

    The sound level is a line in the features plus noise. Angle and thickness go together, as they do in the wind
    tunnel, so that some directions are much steeper than others.

    Args:
      key: decides all numbers.
      n: number of rows, at least 2.

    Returns:
      Features float32 (n, 5) and targets float32 (n, 1), standardised; `test` is `train`.

    Raises:
      TypeError, ValueError: a key that is none, or fewer than 2 rows.

    >>> made_up_airfoil(jax.random.key(0)).train.inputs.shape
    (1500, 5)
    """
    require_whole(2, n=n)
    z = np.asarray(jax.random.normal(random_key("key", key), (n, 6)), np.float64)
    frequency = np.clip(2000 * np.exp(z[:, 0]), 200, 20_000)
    angle = np.clip(7 + 6 * z[:, 1], 0, 22.2)
    chord = np.clip(0.14 - 0.05 * z[:, 1] + 0.08 * z[:, 2], 0.0254, 0.3048)
    speed = np.clip(51 + 16 * z[:, 3], 31.7, 71.3)
    thickness = np.clip(0.005 * np.exp(0.12 * (angle - 7) + 0.5 * z[:, 4]), 0.0004, 0.0584)
    line = 128 - 0.0013 * frequency - 0.42 * angle - 36 * chord + 0.1 * speed - 150 * thickness
    return _standardized(np.stack([frequency, angle, chord, speed, thickness, line + 4.8 * z[:, 5]], 1), n)


def _standardized(table: Float[np.ndarray, "rows 6"], num_rows: int) -> Dataset:
    """The first rows, in units of each column's standard deviation; the last column is the target."""
    scaled = ((table - table.mean(0)) / table.std(0))[:num_rows].astype(np.float32)
    batch = Batch(scaled[:, :-1], scaled[:, -1:])
    return Dataset(train=batch, test=batch)
