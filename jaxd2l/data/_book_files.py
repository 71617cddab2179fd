"""Files that the book distributes: found in a named folder or downloaded, and checked against the book's SHA-1 sums."""

import hashlib
import os
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from jaxd2l._files import write_file
from jaxd2l._process.cache_folder import cache_dir
from jaxd2l.data._array_cache import cannot_write
from jaxd2l.data._official_files import OfficialFiles, cannot_download, damaged, find

URL = "http://d2l-data.s3-accelerate.amazonaws.com/"


def verified(files: OfficialFiles, sha1: Mapping[str, str], data_dir: str | os.PathLike[str] | None, way: str) -> Path:
    """The folder that holds the files, each with its SHA-1: the named one, or else the cache, after a download.

    Args:
      files: what to look for.
      sha1: the checksum of each file by name.
      data_dir: a folder to look in; None for that of JAXD2L_DATA_DIR.
      way: how to name a folder, for the message when a download fails.

    Raises:
      FileNotFoundError, ValueError: the named folder lacks a file, or a file is damaged.
      ConnectionError, OSError: the server cannot be reached, or the cache folder cannot be written to.
    """
    folder = find(files, data_dir) or _downloaded(files, sha1, way)
    for name in files.names:
        if fault := _fault(folder / name, (folder / name).read_bytes(), sha1):
            raise ValueError(f"{fault}\nReplace it with a fresh copy of {files.url}{name}")
    return folder


def _downloaded(files: OfficialFiles, sha1: Mapping[str, str], way: str) -> Path:
    folder = cache_dir() / "downloads" / files.folder
    for name in files.names:
        path = folder / name
        if not path.is_file() or _fault(path, path.read_bytes(), sha1):
            _download(files, path, sha1, way)
    return folder


def _download(files: OfficialFiles, path: Path, sha1: Mapping[str, str], way: str) -> None:
    url = files.url + path.name
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            content = response.read()
    except OSError as error:
        raise cannot_download(files, error, way) from error
    if fault := _fault(path, content, sha1):
        raise ConnectionError(f"{url} is not the file it should be. {fault}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, content)
    except OSError as error:
        raise cannot_write(path.parent, error) from error


def _fault(path: Path, content: bytes, sha1: Mapping[str, str]) -> str | None:
    """What is wrong with the content of a file, or None."""
    found, expected = hashlib.sha1(content, usedforsecurity=False).hexdigest(), sha1[path.name]
    return None if found == expected else damaged(path, f"SHA-1 {found}", f"SHA-1 {expected}")
