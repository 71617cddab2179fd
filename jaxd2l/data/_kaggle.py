"""House prices in Ames, Iowa, 2006 to 2010 (D2L 5.7): two CSV files, checked against the book's SHA-1 sums."""

import hashlib
import os
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxd2l._cache_folder import cache_dir
from jaxd2l._files import write_file
from jaxd2l.data._array_cache import cannot_write
from jaxd2l.data._official_files import OfficialFiles, cannot_download, damaged, find

if TYPE_CHECKING:
    import pandas

SHA1 = {
    "kaggle_house_pred_train.csv": "585e9cc93e70b39160e7921475f9bcd7d31219ce",
    "kaggle_house_pred_test.csv": "fa19780a7b011d9b009e8bff8e99922a8ee2eb90",
}
FILES = OfficialFiles("house price", "house_prices", "http://d2l-data.s3-accelerate.amazonaws.com/", tuple(SHA1))


class HousePrices(NamedTuple):
    """Two tables with a row per house: Id, 79 features, and in `train` the SalePrice in dollars."""

    train: "pandas.DataFrame"
    test: "pandas.DataFrame"


def kaggle_house_prices(*, data_dir: str | os.PathLike[str] | None = None) -> HousePrices:
    """The 1460 training and 1459 test rows of Kaggle's house price competition, as the book distributes them.

    Only "NA" and empty cells are missing values: the text "None" is a category of the data, although pandas takes it
    for a missing value from version 2 on. D2L 5.7.3.

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

        train, test = kaggle_house_prices()
        train["SalePrice"].mean()
    """
    import pandas

    folder = find(FILES, data_dir) or _downloaded()
    tables = []
    for name in FILES.names:
        if fault := _fault(folder / name, (folder / name).read_bytes()):
            raise ValueError(f"{fault}\nReplace it with a fresh copy of {FILES.url}{name}")
        tables.append(pandas.read_csv(folder / name, keep_default_na=False, na_values=["NA", ""]))
    return HousePrices(*tables)


def _downloaded() -> Path:
    folder = cache_dir() / "downloads" / FILES.folder
    for name in FILES.names:
        path = folder / name
        if not path.is_file() or _fault(path, path.read_bytes()):
            _download(path)
    return folder


def _download(path: Path) -> None:
    url = FILES.url + path.name
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            content = response.read()
    except OSError as error:
        raise cannot_download(FILES, error, "kaggle_house_prices(data_dir=DIR)") from error
    if fault := _fault(path, content):
        raise ConnectionError(f"{url} is not the file it should be. {fault}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, content)
    except OSError as error:
        raise cannot_write(path.parent, error) from error


def _fault(path: Path, content: bytes) -> str | None:
    """What is wrong with the content of a file, or None."""
    found, expected = hashlib.sha1(content, usedforsecurity=False).hexdigest(), SHA1[path.name]
    return None if found == expected else damaged(path, f"SHA-1 {found}", f"SHA-1 {expected}")
