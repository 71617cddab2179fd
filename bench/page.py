"""What the pages of this folder have in common: where they were measured, and how they are shown and kept."""

from pathlib import Path

from jaxd2l._process.environment import Environment


def measured_on(here: Environment) -> str:
    """The processor, its cores, and the versions."""
    versions = ", ".join(f"{name} {version}" for name, version in here.versions.items())
    return f"{here.cpu}, {here.cores} cores; {versions}"


def publish(page: str, path: Path | None) -> None:
    """Prints a page, and writes it if there is a path."""
    print(page, end="")
    if path:
        path.write_text(page, encoding="utf-8")
