"""The four official files of Fashion-MNIST: whether they are intact, and how to get them."""

import os
import shutil
import urllib.request
from pathlib import Path

from jaxd2l.data._array_cache import cannot_write
from jaxd2l.data._official_files import OfficialFiles, cannot_download, damaged

FILES = OfficialFiles(
    "Fashion-MNIST",
    "fashion_mnist",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    (
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    ),
)
_WAYS = "fashion_mnist(data_dir=DIR), once `jaxd2l data prepare fashion_mnist --from DIR`,"


def check(folder: Path) -> None:
    """Compares the files with the sizes and SHA-256 sums that TFDS has on record.

    Raises:
      ValueError: a file is cut short or altered.
    """
    for name in FILES.names:
        if fault := _fault(folder / name):
            raise ValueError(f"{fault}\nReplace it with a fresh copy of {FILES.url}{name}")


def download(folder: Path) -> None:
    """Fetches the files that `folder` lacks, or has damaged, through TFDS.

    Raises:
      ConnectionError: the server cannot be reached, or sends something else.
      OSError: the folder cannot be written to.
    """
    wanted = [name for name in FILES.names if not (folder / name).is_file() or _fault(folder / name)]
    if not wanted:
        return
    _require_network()

    import tensorflow_datasets as tfds
    from requests import RequestException
    from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

    partial = folder / "partial"
    try:
        manager = tfds.download.DownloadManager(download_dir=partial, force_checksums_validation=True)
        for name, path in manager.download({name: FILES.url + name for name in wanted}).items():
            os.replace(path, folder / name)
        shutil.rmtree(partial)
    except (RequestException, tfds.download.DownloadError, NonMatchingChecksumError) as error:
        raise cannot_download(FILES, error, _WAYS) from error
    except OSError as error:
        raise cannot_write(folder, error) from error


def _fault(path: Path) -> str | None:
    """What is wrong with a file, or None."""
    from tensorflow_datasets.core.download import checksums

    expected, found = checksums.get_all_url_infos()[FILES.url + path.name], checksums.compute_url_info(path)
    if found == expected:
        return None
    return damaged(path, *(f"{int(info.size)} bytes, SHA-256 {info.checksum}" for info in (found, expected)))


def _require_network() -> None:
    """Asks for one header, once: TFDS would keep asking for minutes before it gave up."""
    request = urllib.request.Request(FILES.url + FILES.names[-1], method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=2).close()
    except OSError as error:
        raise cannot_download(FILES, error, _WAYS) from error
