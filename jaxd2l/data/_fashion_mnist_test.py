"""Fashion-MNIST against the official files; its cache; resizing."""

import contextlib
import io
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxd2l.data import fashion_mnist, prepare_fashion_mnist
from jaxd2l.data._array_cache import save_arrays
from jaxd2l.data._fashion_mnist_files import FILES
from jaxd2l.data.conftest import assert_same_as_files, truncate

ROOT = Path(__file__).parents[2]

# A process that accepts the files in JAXD2L_DATA_DIR as the official ones, whatever they hold.
TRUST = """
import os
from pathlib import Path
from tensorflow_datasets.core.download import checksums
from jaxd2l.data._fashion_mnist_files import FILES
from jaxd2l.data import fashion_mnist
for name in FILES.names:
    path = Path(os.environ["JAXD2L_DATA_DIR"], name)
    checksums.get_all_url_infos()[FILES.url + name] = checksums.compute_url_info(path)
"""


def run(script: str, **environment: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT), **{name: str(value) for name, value in environment.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    return out.strip()


# The real data


@pytest.fixture(scope="session")
def prepared(fashion_mnist_files: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The real data, prepared once; also what TFDS printed and which connections it tried to open meanwhile."""
    calls: list[object] = []
    printed, bars = io.StringIO(), io.StringIO()
    folder = tmp_path_factory.mktemp("cache")
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(bars),
    ):
        patch.setenv("JAXD2L_CACHE_DIR", str(folder))
        patch.setattr(socket.socket, "connect", lambda self, address: calls.append(address))
        patch.setattr(socket, "getaddrinfo", lambda *address, **options: calls.append(address))
        dataset = fashion_mnist(data_dir=fashion_mnist_files)
    return {"dataset": dataset, "folder": folder, "calls": calls, "printed": printed, "bars": bars}


def test_golden_values(prepared: dict) -> None:
    train, test, class_names, validation = prepared["dataset"]
    assert validation is None
    assert train.inputs.shape == (60000, 28, 28, 1)
    assert test.inputs.shape == (10000, 28, 28, 1)
    assert train.labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert test.labels[:10].tolist() == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]
    assert np.bincount(train.labels).tolist() == [6000] * 10
    assert " ".join(class_names) == "t-shirt trouser pullover dress coat sandal shirt sneaker bag ankle boot"
    assert class_names[train.labels[0]] == "ankle boot"


def test_tfds_gives_the_official_bytes(prepared: dict, fashion_mnist_files: Path) -> None:
    assert_same_as_files(prepared["dataset"], fashion_mnist_files)


def test_preparation_is_silent_and_opens_no_connection(prepared: dict) -> None:
    assert prepared["calls"] == []
    assert prepared["printed"].getvalue() == ""
    assert prepared["bars"].getvalue() == ""


def test_cache_holds_only_the_arrays(prepared: dict) -> None:
    assert sorted(path.name for path in prepared["folder"].iterdir()) == [".fashion_mnist.lock", "fashion_mnist"]


def test_second_load_needs_neither_tfds_nor_files(prepared: dict) -> None:
    script = (
        "import sys\nfrom jaxd2l.data import fashion_mnist\n"
        "print(fashion_mnist().train.labels[:3], {'tensorflow_datasets', 'PIL'} & set(sys.modules))"
    )
    assert output(run(script, JAXD2L_CACHE_DIR=prepared["folder"])) == "[9 0 0] set()"


def test_files_are_those_of_the_book() -> None:
    from tensorflow_datasets.core.download import checksums

    sizes = [int(checksums.get_all_url_infos()[FILES.url + name].size) for name in FILES.names]
    assert sizes == [26421880, 29515, 4422102, 5148]


# The cache


def test_prepare_gives_the_folder_of_arrays(small: Path, cache: Path) -> None:
    folder = prepare_fashion_mnist(data_dir=small)
    assert folder == cache / "fashion_mnist"
    assert np.load(folder / "train_images.npy").shape == (300, 28, 28, 1)
    assert sorted(path.name for path in small.iterdir()) == sorted(FILES.names)  # only read


def test_a_torn_cache_is_rebuilt(small: Path, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    fashion_mnist(data_dir=small)
    truncate(cache / "fashion_mnist" / "test_images.npy")
    assert_same_as_files(fashion_mnist(data_dir=small), small)
    assert "test_images.npy has" in caplog.text


def test_a_cache_of_something_else_is_refused(small: Path, cache: Path) -> None:
    cache.mkdir(exist_ok=True)
    save_arrays(cache / "fashion_mnist", {"images": np.zeros((2, 28, 28, 1), np.uint8)})
    with pytest.raises(ValueError, match="does not hold Fashion-MNIST's arrays"):
        fashion_mnist()


def test_two_processes_at_once(small: Path, cache: Path) -> None:
    script = TRUST + "import logging; logging.basicConfig(level=20)\nprint(fashion_mnist().train.labels.sum())"
    both = [run(script, JAXD2L_DATA_DIR=small) for _ in range(2)]
    outputs = [process.communicate(timeout=200) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert {out for out, _ in outputs} == {f"{fashion_mnist(data_dir=small).train.labels.sum()}\n"}
    assert sum(err.count("Preparing") for _, err in outputs) == 1
    assert sorted(path.name for path in cache.iterdir()) == [".fashion_mnist.lock", "fashion_mnist"]


def test_unwritable_cache(small: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write_text("in the way")
    for data_dir in (small, None):
        with pytest.raises(OSError, match=r"Cannot write to the cache folder .*JAXD2L_CACHE_DIR"):
            fashion_mnist(data_dir=data_dir)


@pytest.mark.parametrize(("limit", "stopped"), [(1000, "array_record"), (200_000, "File too large")])
def test_full_disk(small: Path, cache: Path, limit: int, stopped: str) -> None:
    """The first limit stops TFDS; the second stops writing the arrays, which are larger than its files."""
    script = f"""{TRUST}
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    fashion_mnist()
except OSError as error:
    print(error)
"""
    message = output(run(script, JAXD2L_DATA_DIR=small))
    assert message.startswith(f"Cannot write to the cache folder {cache}: ")
    assert message.count("Cannot write") == 1
    assert stopped in message
    assert ("array_record" in message) == (stopped == "array_record")
    assert "JAXD2L_CACHE_DIR" in message
    assert [path.name for path in cache.iterdir()] == [".fashion_mnist.lock"]


# Resizing


def bilinear(images: np.ndarray, side: int) -> np.ndarray:
    """Linear interpolation between pixel centres along both axes, in floating point."""
    for axis in (1, 2):
        n = images.shape[axis]
        at = np.clip((np.arange(side) + 0.5) * n / side - 0.5, 0, n - 1)
        low = np.minimum(at.astype(int), n - 2)
        weight = (at - low).reshape((side, 1) if axis == 1 else (side,))
        images = images.take(low, axis) * (1 - weight) + images.take(low + 1, axis) * weight
    return images


def test_resize(small: Path) -> None:
    original, resized = fashion_mnist(data_dir=small), fashion_mnist(data_dir=small, resize=32)
    assert resized.train.inputs.shape == (300, 32, 32, 1)
    assert resized.test.inputs.shape == (10, 32, 32, 1)
    assert resized.train.inputs.dtype == np.uint8
    np.testing.assert_array_equal(resized.train.labels, original.train.labels)
    expected = bilinear(np.asarray(original.train.inputs[..., 0], float), 32)
    np.testing.assert_allclose(resized.train.inputs[..., 0], expected, atol=1)  # rounded once per axis
    np.testing.assert_array_equal(fashion_mnist(data_dir=small, resize=28).test.inputs, original.test.inputs)
    assert_same_as_files(fashion_mnist(data_dir=small), small)  # the cache keeps the originals


@pytest.mark.bad_input
@pytest.mark.parametrize("size", [0, -32, True, 32.0, "32", (32, 32)])
def test_a_size_that_images_cannot_have_is_refused(size) -> None:
    with pytest.raises((ValueError, TypeError), match=r"resize must be (at least 1|a whole number), got") as caught:
        fashion_mnist(resize=size)
    assert repr(size) in str(caught.value)
