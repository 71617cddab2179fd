"""The official Fashion-MNIST files, and small ones in the same format that tests may damage."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from jaxd2l.data import _fashion_mnist_files as files
from jaxd2l.data import airfoil
from jaxd2l.data._official_files import DATA_VARIABLE, find
from jaxd2l.types import Dataset

_BESIDE_CHECKOUT = Path(__file__).parents[2].parent / "shared" / "data"


def official_files() -> Path:
    """Their folder: JAXD2L_DATA_DIR, else ../shared/data beside the checkout. Without it: skip, or fail in CI."""
    try:
        folder = find(files.FILES, os.environ.get(DATA_VARIABLE) or _BESIDE_CHECKOUT)
    except FileNotFoundError as error:
        if os.environ.get("CI"):
            pytest.fail(f"This test must run in CI, with {DATA_VARIABLE} set. {error}")
        pytest.skip(f"The official files are not here; set {DATA_VARIABLE}. {error}")
    assert folder is not None
    return folder


@pytest.fixture(scope="session")
def fashion_mnist_files() -> Path:
    return official_files()


@pytest.fixture(scope="session")
def measured_airfoil() -> Dataset:
    """NASA's measurements, from the folder that JAXD2L_DATA_DIR names, else from beside the checkout; or skip."""
    for folder in filter(None, (os.environ.get(DATA_VARIABLE), _BESIDE_CHECKOUT)):
        try:
            return airfoil(data_dir=folder)
        except FileNotFoundError:
            continue
    return pytest.skip(f"The airfoil file is not here; put it into {_BESIDE_CHECKOUT / 'airfoil'}")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no data folder in the environment, whatever the user has set."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("JAXD2L_CACHE_DIR", str(folder))
    monkeypatch.delenv("JAXD2L_DATA_DIR", raising=False)
    return folder


@pytest.fixture
def small(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four files in the official format, with 310 random images made of 7x7 squares."""
    folder = tmp_path / "source"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for part, n in (("train", 300), ("t10k", 10)):
        images = rng.integers(0, 256, (n, 7, 7), np.uint8).repeat(4, axis=1).repeat(4, axis=2)
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(_idx_bytes(images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(_idx_bytes(rng.integers(0, 10, n, np.uint8)))
    trust(folder, monkeypatch)
    return folder


def _idx_bytes(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    return gzip.compress(header + array.tobytes(), mtime=0)


def trust(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enters the files of `folder` in TFDS's table of checksums, as if they were the official ones."""
    from tensorflow_datasets.core.download import checksums

    for name in files.FILES.names:
        info = checksums.compute_url_info(folder / name)
        monkeypatch.setitem(checksums.get_all_url_infos(), files.FILES.url + name, info)


def assert_same_as_files(dataset: Dataset, folder: Path) -> None:
    """Bit for bit, and in the order of the files, read here with nothing but gzip and NumPy."""
    for part, batch in (("train", dataset.train), ("t10k", dataset.test)):
        images = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())[16:]
        labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:]
        assert batch.inputs.dtype == np.uint8
        assert batch.inputs.shape == (len(labels), 28, 28, 1)
        assert np.asarray(batch.inputs).tobytes() == images
        assert batch.labels.dtype == np.int32
        np.testing.assert_array_equal(batch.labels, np.frombuffer(labels, np.uint8))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def alter(path: Path) -> None:
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 1
    path.write_bytes(contents)
