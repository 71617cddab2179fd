"""The official files of a dataset: where to look for them, and what to tell a user who lacks them."""

import os
from pathlib import Path
from typing import NamedTuple

DATA_VARIABLE = "JAXD2L_DATA_DIR"


class OfficialFiles(NamedTuple):
    """title: how messages call them. folder: the name of a folder that holds them. Each is at url + name."""

    title: str
    folder: str
    url: str
    names: tuple[str, ...]

    def addresses(self) -> str:
        """One line per file."""
        return "\n".join(f"  {self.url}{name}" for name in self.names)


def find(files: OfficialFiles, data_dir: str | os.PathLike[str] | None) -> Path | None:
    """The folder that holds the files, or None if neither `data_dir` nor JAXD2L_DATA_DIR names one.

    Raises:
      FileNotFoundError: a folder is named, and neither it nor its subfolder has all files.
    """
    origin = "the argument data_dir"
    if data_dir is None:
        origin, data_dir = f"the environment variable {DATA_VARIABLE}", os.environ.get(DATA_VARIABLE)
        if not data_dir:
            return None
    if not isinstance(data_dir, str | os.PathLike):
        raise TypeError(f"{origin} must be the path of a folder, got {data_dir!r}")
    named = Path(data_dir).expanduser().absolute()
    missing = {
        folder: [name for name in files.names if not (folder / name).is_file()]
        for folder in (named, named / files.folder)
    }
    folder = min(missing, key=lambda folder: len(missing[folder]))
    if missing[folder]:
        raise FileNotFoundError(
            f"{named}, named by {origin}, does not hold the {files.title} files, "
            f"nor does its subfolder {files.folder}. Missing from {folder}: {', '.join(missing[folder])}.\n"
            f"Put these files, unchanged, into {named}:\n{files.addresses()}"
        )
    return folder


def cannot_download(files: OfficialFiles, error: Exception, ways: str) -> ConnectionError:
    """The error to raise when a download failed: why, and what helps. `ways` lists how to name a folder."""
    return ConnectionError(
        f"The {files.title} files could not be downloaded: {error}\n"
        f"Get them some other way:\n{files.addresses()}\n"
        f"Then name their folder: {ways} or the environment variable {DATA_VARIABLE}=DIR."
    )


def damaged(path: Path, found: str, expected: str) -> str:
    """What to say about a file whose contents are not the official ones."""
    return f"{path} is damaged, or is another file of that name.\nfound:    {found}\nexpected: {expected}"
