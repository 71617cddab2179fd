"""House prices in Ames, Iowa, 2006 to 2010 (D2L 5.7): two CSV files, checked by the book's SHA-1 sums."""

import hashlib
import os
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxd2l._cache_folder import cache_dir
from jaxd2l.data.array_cache import cannot_write
from jaxd2l.data.fashion_mnist_files import DATA_VARIABLE

if TYPE_CHECKING:
    import pandas

URL = "http://d2l-data.s3-accelerate.amazonaws.com/"
SHA1 = {
    "kaggle_house_pred_train.csv": "585e9cc93e70b39160e7921475f9bcd7d31219ce",
    "kaggle_house_pred_test.csv": "fa19780a7b011d9b009e8bff8e99922a8ee2eb90",
}


class HousePrices(NamedTuple):
    """Two tables with a row per house: the column Id, 79 features, and to train the column SalePrice in dollars."""

    train: "pandas.DataFrame"
    test: "pandas.DataFrame"


def house_prices(data_dir: str | os.PathLike[str] | None = None) -> HousePrices:
    """The 1460 training and 1459 test rows of Kaggle's house price competition, as the book distributes them.

    Only "NA" and empty cells are missing values: the text "None" is a category of the data, which pandas would
    take for one from version 2 on. D2L 5.7.3.

    Args:
      data_dir: a folder that holds the two files, itself or in a subfolder `house_prices`. It is only read.
        Default: the environment variable JAXD2L_DATA_DIR; without it, a download into the cache folder.

    Raises:
      FileNotFoundError: the named folder lacks a file.
      ValueError: a file is damaged.
      ConnectionError: no folder is named, nothing is cached and the server cannot be reached.
      OSError: the cache folder cannot be written to.
      ImportError: pandas is not installed.

    Example::

        train, test = house_prices()
        train["SalePrice"].mean()
    """
    import pandas

    folder = _named_folder(data_dir) or _downloaded()
    tables = []
    for name in SHA1:
        if fault := _fault(folder / name):
            raise ValueError(f"{fault}\nReplace it by a fresh copy of {URL}{name}")
        tables.append(pandas.read_csv(folder / name, keep_default_na=False, na_values=["NA", ""]))
    return HousePrices(*tables)


def _named_folder(data_dir: str | os.PathLike[str] | None) -> Path | None:
    """The folder that holds the files, or None if neither `data_dir` nor JAXD2L_DATA_DIR names one."""
    origin = "the argument data_dir" if data_dir is not None else f"the environment variable {DATA_VARIABLE}"
    data_dir = os.environ.get(DATA_VARIABLE) if data_dir is None else data_dir
    if not data_dir:
        return None
    named = Path(data_dir).expanduser().absolute()
    for folder in (named, named / "house_prices"):
        if all((folder / name).is_file() for name in SHA1):
            return folder
    raise FileNotFoundError(
        f"{named}, named by {origin}, does not hold the house price files, nor does its subfolder house_prices.\n"
        f"Put these two files, as they are, into one of them:\n{_addresses()}"
    )


def _downloaded() -> Path:
    folder = cache_dir() / "downloads" / "house_prices"
    for name in SHA1:
        if not (folder / name).is_file() or _fault(folder / name):
            _download(folder, name)
    return folder


def _download(folder: Path, name: str) -> None:
    try:
        with urllib.request.urlopen(URL + name, timeout=10) as response:
            content = response.read()
    except OSError as error:
        raise ConnectionError(
            f"The house prices could not be downloaded: {error}\n"
            f"Fetch these two files by other means:\n{_addresses()}\n"
            f"then name their folder: house_prices(data_dir=DIR) or the environment variable {DATA_VARIABLE}=DIR."
        ) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:  # whole or not at all, whoever else downloads
            path = Path(temporary) / name
            path.write_bytes(content)
            if fault := _fault(path):
                raise ConnectionError(f"{URL}{name} is not the file it should be. {fault}")
            path.replace(folder / name)
    except ConnectionError:
        raise
    except OSError as error:
        raise cannot_write(folder, error) from error


def _fault(path: Path) -> str | None:
    """What is wrong with a file, or None."""
    found, expected = hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest(), SHA1[path.name]
    if found == expected:
        return None
    return f"{path} is damaged, or is another file of that name.\nfound:    SHA-1 {found}\nexpected: SHA-1 {expected}"


def _addresses() -> str:
    return "\n".join(f"  {URL}{name}" for name in SHA1)
