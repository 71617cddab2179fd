"""The four official files of Fashion-MNIST: where they are, whether they are whole, how to get them."""

import os
import shutil
import urllib.request
from pathlib import Path

from jaxd2l.data.array_cache import cannot_write

URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
DATA_VARIABLE = "JAXD2L_DATA_DIR"


def find(data_dir: str | os.PathLike[str] | None) -> Path | None:
    """The folder that holds the files, or None if neither `data_dir` nor JAXD2L_DATA_DIR names one.

    Raises:
      FileNotFoundError: a folder is named, and neither it nor its `fashion_mnist/` has all four.
    """
    origin = "the argument data_dir"
    if data_dir is None:
        origin = f"the environment variable {DATA_VARIABLE}"
        data_dir = os.environ.get(DATA_VARIABLE)
        if not data_dir:
            return None
    named = Path(data_dir).expanduser().absolute()
    missing = {
        folder: [name for name in NAMES if not (folder / name).is_file()] for folder in (named, named / "fashion_mnist")
    }
    folder = min(missing, key=lambda folder: len(missing[folder]))
    if missing[folder]:
        raise FileNotFoundError(
            f"{named}, named by {origin}, does not hold the Fashion-MNIST files, nor does its "
            f"subfolder fashion_mnist. Missing from {folder}: {', '.join(missing[folder])}.\n"
            f"Put these four files, as they are, into {named}:\n{_addresses()}"
        )
    return folder


def check(folder: Path) -> None:
    """Compare the files with the sizes and SHA-256 sums that TFDS has on record.

    Raises:
      ValueError: a file is cut short or altered.
    """
    for name in NAMES:
        if fault := _fault(folder / name):
            raise ValueError(f"{fault}\nReplace it by a fresh copy of {URL}{name}")


def download(folder: Path) -> None:
    """Fetch the files that `folder` lacks, or has damaged, through TFDS.

    Raises:
      ConnectionError: the server cannot be reached, or sends something else.
      OSError: the folder cannot be written to.
    """
    wanted = [name for name in NAMES if not (folder / name).is_file() or _fault(folder / name) is not None]
    if not wanted:
        return
    _require_network()

    import tensorflow_datasets as tfds
    from requests import RequestException
    from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

    partial = folder / "partial"
    try:
        manager = tfds.download.DownloadManager(download_dir=partial, force_checksums_validation=True)
        for name, path in manager.download({name: URL + name for name in wanted}).items():
            os.replace(path, folder / name)
        shutil.rmtree(partial)
    except (RequestException, tfds.download.DownloadError, NonMatchingChecksumError) as error:
        raise ConnectionError(_how_to_do_without(str(error))) from error
    except OSError as error:
        raise cannot_write(folder, error) from error


def _fault(path: Path) -> str | None:
    """What is wrong with a file, or None."""
    from tensorflow_datasets.core.download import checksums

    expected = checksums.get_all_url_infos()[URL + path.name]
    found = checksums.compute_url_info(path)
    if found == expected:
        return None
    return (
        f"{path} is damaged, or is another file of that name.\n"
        f"found:    {int(found.size)} bytes, SHA-256 {found.checksum}\n"
        f"expected: {int(expected.size)} bytes, SHA-256 {expected.checksum}"
    )


def _require_network() -> None:
    """Ask for one header, once: TFDS would go on asking for minutes before it gave up."""
    request = urllib.request.Request(URL + NAMES[-1], method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=2).close()
    except OSError as error:
        raise ConnectionError(_how_to_do_without(str(error))) from error


def _how_to_do_without(reason: str) -> str:
    return (
        f"Fashion-MNIST could not be downloaded: {reason}\n"
        f"Fetch these four files by other means:\n{_addresses()}\n"
        "then name their folder: fashion_mnist(data_dir=DIR), the environment variable "
        f"{DATA_VARIABLE}=DIR, or once `jaxd2l data prepare fashion_mnist --from DIR`."
    )


def _addresses() -> str:
    return "\n".join(f"  {URL}{name}" for name in NAMES)
