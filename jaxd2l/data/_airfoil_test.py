"""The loader takes the book's file and no other, as the book does; the numbers of 12.5; made-up data of its columns."""

import hashlib

import jax
import numpy as np
import pytest

from jaxd2l.data import _airfoil, airfoil, made_up_airfoil
from jaxd2l.data._airfoil import SHA1

[NAME] = SHA1
ROWS = b"800\t0\t0.3\t71\t0.002\t126\r\n1000\t4\t0.3\t71\t0.003\t125\r\n1250\t2\t0.1\t40\t0.001\t127\r\n"


@pytest.fixture
def made_up_file(tmp_path, monkeypatch):
    """A server, a cache, and a checksum that fits."""
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / NAME).write_bytes(ROWS)
    monkeypatch.setitem(SHA1, NAME, hashlib.sha1(ROWS).hexdigest())
    monkeypatch.setattr(_airfoil, "FILES", _airfoil.FILES._replace(url=(tmp_path / "server").as_uri() + "/"))
    monkeypatch.setenv("JAXD2L_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("JAXD2L_DATA_DIR", raising=False)
    return tmp_path / "server" / NAME


def test_the_checksum_is_the_books():
    assert SHA1 == {"airfoil_self_noise.dat": "76e5be1548fd8222e5074cf0faae75edff8cf93f"}
    assert _airfoil.FILES.url == "http://d2l-data.s3-accelerate.amazonaws.com/"


def test_the_first_row_and_the_losses_of_the_book(measured_airfoil):
    inputs, labels = (np.float64(part) for part in measured_airfoil.train)
    assert inputs.shape == (1500, 5)
    assert labels.shape == (1500, 1)
    np.testing.assert_allclose(inputs[0], [-0.662023, -1.146403, 1.799299, 1.312935, -0.644805], atol=1e-6)
    assert abs(labels[0, 0] - 0.197939) < 1e-6
    assert measured_airfoil.test is measured_airfoil.train
    X = np.c_[inputs, np.ones(1500)]
    w, *_ = np.linalg.lstsq(X, labels[:, 0], rcond=None)
    expected = [-0.583178, -0.365512, -0.484334, 0.223865, -0.271330, 0.00196379]
    np.testing.assert_allclose(w, expected, atol=1e-6)
    assert abs(np.mean(labels**2) / 2 - 0.493259) < 1e-6
    assert abs(np.mean((X @ w - labels[:, 0]) ** 2) / 2 - 0.241688) < 1e-6
    eigenvalues = np.linalg.eigvalsh(X.T @ X / 1500)
    np.testing.assert_allclose(eigenvalues[[0, -1]], [0.1737, 2.0985], atol=5e-5)


def test_a_named_folder_or_its_subfolder_is_read_and_standardised(tmp_path, made_up_file, monkeypatch):
    data = airfoil(data_dir=made_up_file.parent)
    table = np.concatenate(data.train, 1)
    assert table.dtype == np.float32
    np.testing.assert_allclose(table.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(table.std(0), 1, rtol=1e-6)
    np.testing.assert_allclose(table[:, 1], np.array([-1, 1, 0]) * 1.5**0.5, rtol=1e-6)
    made_up_file.parent.rename(tmp_path / "airfoil")
    monkeypatch.setenv("JAXD2L_DATA_DIR", str(tmp_path))
    np.testing.assert_array_equal(airfoil().train.inputs, data.train.inputs)
    assert not (tmp_path / "cache").exists()


def test_without_a_folder_the_file_is_downloaded_once(tmp_path, made_up_file):
    first = airfoil()
    made_up_file.unlink()
    np.testing.assert_array_equal(airfoil().train.labels, first.train.labels)
    assert [p.name for p in (tmp_path / "cache/downloads/airfoil").iterdir()] == [NAME]


def test_without_a_network_it_says_what_to_do(made_up_file):
    made_up_file.unlink()
    with pytest.raises(ConnectionError, match=r"(?s)could not be downloaded.*airfoil\(data_dir=DIR\)"):
        airfoil()


def test_a_damaged_or_missing_file_in_the_users_folder_is_an_error(tmp_path, made_up_file):
    made_up_file.write_bytes(ROWS[:-7])
    with pytest.raises(ValueError, match=r"(?s)damaged.*expected: SHA-1.*fresh copy of"):
        airfoil(data_dir=made_up_file.parent)
    with pytest.raises(FileNotFoundError, match=rf"(?s)the argument data_dir.*{NAME}"):
        airfoil(data_dir=tmp_path)


def test_made_up_data_look_like_the_measurements():
    data = made_up_airfoil(jax.random.key(0))
    inputs, labels = data.train
    assert (inputs.shape, labels.shape, inputs.dtype) == ((1500, 5), (1500, 1), np.float32)
    np.testing.assert_array_equal(inputs, made_up_airfoil(jax.random.key(0)).train.inputs)
    assert not np.array_equal(inputs, made_up_airfoil(jax.random.key(1)).train.inputs)
    X = np.c_[np.float64(inputs), np.ones(1500)]
    w, *_ = np.linalg.lstsq(X, labels[:, 0], rcond=None)
    assert np.sign(w[:5]).tolist() == [-1, -1, -1, 1, -1]
    assert 0.2 < np.mean((X @ w - labels[:, 0]) ** 2) / 2 < 0.26
    assert np.linalg.eigvalsh(X.T @ X / 1500)[-1] > 2  # so that gradient descent with rate 1 diverges here, too
    with pytest.raises(ValueError, match="n must be at least 2"):
        made_up_airfoil(jax.random.key(0), n=1)
