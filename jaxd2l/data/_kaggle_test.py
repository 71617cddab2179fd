"""The loader takes the book's files and no others, wherever they are; made-up files replace them here."""

import hashlib

import pytest

from jaxd2l.data import _kaggle, kaggle_house_prices
from jaxd2l.data._kaggle import SHA1

TRAIN, TEST = SHA1
CONTENT = {
    TRAIN: b"Id,LotArea,Alley,MasVnrType,SalePrice\n1,8450,NA,None,208500\n2,,Pave,BrkFace,181500\n",
    TEST: b"Id,LotArea,Alley,MasVnrType\n3,11622,NA,None\n",
}


@pytest.fixture(autouse=True)
def made_up_files(tmp_path, monkeypatch):
    """A server, a cache, and checksums that fit."""
    (tmp_path / "server").mkdir()
    for name, content in CONTENT.items():
        (tmp_path / "server" / name).write_bytes(content)
        monkeypatch.setitem(SHA1, name, hashlib.sha1(content).hexdigest())
    monkeypatch.setattr(_kaggle, "FILES", _kaggle.FILES._replace(url=(tmp_path / "server").as_uri() + "/"))
    monkeypatch.setenv("JAXD2L_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("JAXD2L_DATA_DIR", raising=False)


def test_the_checksums_are_the_books(monkeypatch):
    monkeypatch.undo()
    assert SHA1 == {
        "kaggle_house_pred_train.csv": "585e9cc93e70b39160e7921475f9bcd7d31219ce",
        "kaggle_house_pred_test.csv": "fa19780a7b011d9b009e8bff8e99922a8ee2eb90",
    }
    assert _kaggle.FILES.url == "http://d2l-data.s3-accelerate.amazonaws.com/"


def test_a_named_folder_or_its_subfolder_is_read(tmp_path, monkeypatch):
    train, test = kaggle_house_prices(data_dir=tmp_path / "server")
    assert train.columns.tolist() == ["Id", "LotArea", "Alley", "MasVnrType", "SalePrice"]
    assert (len(train), len(test)) == (2, 1)
    (tmp_path / "server").rename(tmp_path / "house_prices")
    monkeypatch.setenv("JAXD2L_DATA_DIR", str(tmp_path))
    assert kaggle_house_prices().train.equals(train)
    assert not (tmp_path / "cache").exists()


def test_only_na_and_empty_cells_are_missing(tmp_path):
    train = kaggle_house_prices(data_dir=tmp_path / "server").train
    assert train["Alley"].isna().tolist() == [True, False]
    assert train["LotArea"].isna().tolist() == [False, True]
    assert train["MasVnrType"].tolist() == ["None", "BrkFace"]


def test_without_a_folder_the_files_are_downloaded_once(tmp_path):
    train = kaggle_house_prices().train
    for name in SHA1:
        (tmp_path / "server" / name).unlink()
    assert kaggle_house_prices().train.equals(train)
    assert sorted(p.name for p in (tmp_path / "cache/downloads/house_prices").iterdir()) == sorted(SHA1)


def test_a_damaged_download_is_fetched_again(tmp_path):
    kaggle_house_prices()
    (tmp_path / "cache/downloads/house_prices" / TRAIN).write_bytes(CONTENT[TRAIN][:-5])
    assert len(kaggle_house_prices().train) == 2


def test_a_damaged_file_in_the_users_folder_is_an_error(tmp_path):
    (tmp_path / "server" / TEST).write_bytes(b"Id\n1\n")
    with pytest.raises(ValueError, match=r"(?s)damaged.*expected: SHA-1.*fresh copy of"):
        kaggle_house_prices(data_dir=tmp_path / "server")


def test_a_folder_without_the_files_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"(?s)the argument data_dir.*kaggle_house_pred_train.csv"):
        kaggle_house_prices(data_dir=tmp_path)
    monkeypatch.setenv("JAXD2L_DATA_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="the environment variable JAXD2L_DATA_DIR"):
        kaggle_house_prices()


def test_without_a_network_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(_kaggle, "FILES", _kaggle.FILES._replace(url=(tmp_path / "nowhere").as_uri() + "/"))
    with pytest.raises(ConnectionError, match=r"(?s)could not be downloaded.*kaggle_house_prices\(data_dir=DIR\)"):
        kaggle_house_prices()


def test_a_server_that_sends_something_else_leaves_no_file(tmp_path):
    (tmp_path / "server" / TRAIN).write_bytes(b"<html>")
    with pytest.raises(ConnectionError, match="not the file it should be"):
        kaggle_house_prices()
    assert not (tmp_path / "cache/downloads/house_prices").exists()


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "cache").write_text("a file in its place")
    with pytest.raises(OSError, match="Cannot write to the cache folder"):
        kaggle_house_prices()
