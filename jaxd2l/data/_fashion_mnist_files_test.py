"""Every way in which the files of Fashion-MNIST can be missing or damaged, and what the user reads then."""

import contextlib
import functools
import http.server
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jaxd2l.data import _fashion_mnist_files as files
from jaxd2l.data import fashion_mnist, prepare_fashion_mnist
from jaxd2l.data._official_files import find
from jaxd2l.data.conftest import alter, assert_same_as_files, truncate, trust


def test_files_in_the_folder_or_its_subfolder(small: Path, tmp_path: Path) -> None:
    assert_same_as_files(fashion_mnist(data_dir=small), small)
    shutil.move(small, tmp_path / "root" / "fashion_mnist")
    assert find(files.FILES, tmp_path / "root") == tmp_path / "root" / "fashion_mnist"
    assert find(files.FILES, str(tmp_path / "root" / "fashion_mnist")) == tmp_path / "root" / "fashion_mnist"


def test_the_argument_takes_precedence_over_the_environment(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAXD2L_DATA_DIR", str(tmp_path / "nowhere"))
    assert find(files.FILES, small) == small
    monkeypatch.setenv("JAXD2L_DATA_DIR", str(small))
    assert find(files.FILES, None) == small
    monkeypatch.setenv("JAXD2L_DATA_DIR", "")
    assert find(files.FILES, None) is None


@pytest.mark.parametrize("cached", [False, True])
def test_missing_file(small: Path, monkeypatch: pytest.MonkeyPatch, cached: bool) -> None:
    if cached:
        prepare_fashion_mnist(data_dir=small)
    (small / files.FILES.names[1]).unlink()
    with pytest.raises(FileNotFoundError) as caught:
        fashion_mnist(data_dir=small)
    assert f"{small}, named by the argument data_dir" in str(caught.value)
    assert f"Missing from {small}: train-labels-idx1-ubyte.gz.\n" in str(caught.value)
    assert all(files.FILES.url + name in str(caught.value) for name in files.FILES.names)

    monkeypatch.setenv("JAXD2L_DATA_DIR", str(small))
    with pytest.raises(FileNotFoundError, match="named by the environment variable JAXD2L_DATA_DIR"):
        fashion_mnist()


@pytest.mark.parametrize("damage", [truncate, alter])
@pytest.mark.parametrize("name", [files.FILES.names[0], files.FILES.names[3]])
def test_damaged_file(small: Path, cache: Path, damage: Callable[[Path], None], name: str) -> None:
    whole = (small / name).stat().st_size
    damage(small / name)
    with pytest.raises(ValueError, match="is damaged") as caught:
        fashion_mnist(data_dir=small)
    message = str(caught.value)
    assert message.startswith(str(small / name))
    assert f"found:    {(small / name).stat().st_size} bytes, SHA-256 " in message
    assert f"expected: {whole} bytes, SHA-256 " in message
    assert message.endswith(f"Replace it with a fresh copy of {files.FILES.url}{name}")
    assert [path.name for path in cache.iterdir()] == [".fashion_mnist.lock"]


def test_truncated_official_file(fashion_mnist_files: Path, cache: Path, tmp_path: Path) -> None:
    """Against TFDS's own table."""
    folder = tmp_path / "fashion_mnist"
    folder.mkdir()
    for name in files.FILES.names:
        (folder / name).symlink_to(fashion_mnist_files / name)
    labels = (folder / files.FILES.names[3]).read_bytes()
    (folder / files.FILES.names[3]).unlink()
    (folder / files.FILES.names[3]).write_bytes(labels[:-1])
    with pytest.raises(ValueError, match=r"found:    5147 bytes, .*\nexpected: 5148 bytes, SHA-256 67da17c76eaffca5"):
        fashion_mnist(data_dir=folder)


# No folder named: the network


class Server(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def serve(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Makes a server on this machine, with the files of `folder`, the official one."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, directory=folder)) as server:
        monkeypatch.setattr(files, "FILES", files.FILES._replace(url=f"http://127.0.0.1:{server.server_port}/"))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.timeout(150)  # left to itself, TFDS asks again and again for 200 s
def test_no_network(small: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(small, monkeypatch):
        trust(small, monkeypatch)
    with pytest.raises(ConnectionError) as caught:  # the server is gone
        fashion_mnist()
    message = str(caught.value)
    assert "Connection refused" in message
    assert all(files.FILES.url + name in message for name in files.FILES.names)
    assert "data_dir=DIR" in message
    assert "JAXD2L_DATA_DIR=DIR" in message
    assert "jaxd2l data prepare fashion_mnist --from DIR" in message
    assert [path.name for path in cache.iterdir()] == [".fashion_mnist.lock"]


def test_a_download_is_kept_and_repaired(small: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = cache / "downloads" / "fashion_mnist"
    with serve(small, monkeypatch):
        trust(small, monkeypatch)
        assert_same_as_files(fashion_mnist(), small)
        assert sorted(path.name for path in kept.iterdir()) == sorted(files.FILES.names)
    assert_same_as_files(fashion_mnist(), small)  # from the cache, with no server

    truncate(cache / "fashion_mnist" / "train_images.npy")
    assert_same_as_files(fashion_mnist(), small)  # from the kept files, with no server

    shutil.rmtree(cache / "fashion_mnist")
    alter(kept / files.FILES.names[2])
    with serve(small, monkeypatch):
        trust(small, monkeypatch)
        assert_same_as_files(fashion_mnist(), small)


@pytest.mark.parametrize("fault", [alter, truncate])
def test_server_sends_something_else(
    small: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Path], None]
) -> None:
    with serve(small, monkeypatch):
        trust(small, monkeypatch)
        fault(small / files.FILES.names[0])
        with pytest.raises(ConnectionError, match="wrong checksum"):
            fashion_mnist()
    assert not (cache / "fashion_mnist").exists()
    assert not (cache / "downloads" / "fashion_mnist" / files.FILES.names[0]).exists()


@pytest.mark.parametrize("name", [files.FILES.names[0], files.FILES.names[-1]])
def test_server_lacks_a_file(small: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with serve(small, monkeypatch):
        trust(small, monkeypatch)
        (small / name).unlink()
        with pytest.raises(ConnectionError, match="404"):
            fashion_mnist()
