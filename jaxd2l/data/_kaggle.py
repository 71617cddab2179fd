"""House prices in Ames, Iowa, 2006 to 2010 (D2L 5.7): two CSV files, checked against the book's SHA-1 sums."""

import os
from typing import TYPE_CHECKING, NamedTuple

from jaxd2l.data._book_files import URL, verified
from jaxd2l.data._official_files import OfficialFiles

if TYPE_CHECKING:
    import pandas

SHA1 = {
    "kaggle_house_pred_train.csv": "585e9cc93e70b39160e7921475f9bcd7d31219ce",
    "kaggle_house_pred_test.csv": "fa19780a7b011d9b009e8bff8e99922a8ee2eb90",
}
FILES = OfficialFiles("house price", "house_prices", URL, tuple(SHA1))


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

    folder = verified(FILES, SHA1, data_dir, "kaggle_house_prices(data_dir=DIR)")
    return HousePrices(
        *(pandas.read_csv(folder / name, keep_default_na=False, na_values=["NA", ""]) for name in FILES.names)
    )
