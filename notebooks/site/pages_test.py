"""Nothing public is missing from the pages of the site. This needs no Sphinx; `site_test.py` builds the site."""

import re
from inspect import ismodule
from pathlib import Path

from jaxd2l.api_test import MODULES
from notebooks import book, running

HERE = Path(__file__).parent


def test_every_public_module_has_its_line_in_the_api() -> None:
    listed = re.findall(r"^   (jaxd2l[\w.]+)$", (HERE / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    with_own = {m.__name__ for m in MODULES if any(not ismodule(getattr(m, name)) for name in m.__all__)}
    assert sorted(listed) == sorted(with_own - {"jaxd2l"})


def test_every_notebook_has_a_section_of_the_book() -> None:
    addresses = [book.url(text.stem) for text in running.texts()]
    assert len(set(addresses)) == len(addresses)


def test_every_page_is_in_the_contents() -> None:
    index = (HERE / "index.md").read_text(encoding="utf-8")
    pages = {path.stem for path in HERE.glob("*.md")} - {"index"}
    assert [page for page in sorted(pages) if f"\n{page}\n" not in index] == []


def test_no_page_names_a_folder_of_the_machine_that_made_it() -> None:
    folders = (
        "*.md",
        "bench/*.md",
        "parity_tests/**/*.md",
        "notebooks/*.md",
        "notebooks/*.ipynb",
        "notebooks/site/*.md",
    )
    pages = {path for pattern in folders for path in HERE.parents[1].glob(pattern)}
    found = {p.name: re.findall(r"/(?:tmp|root|work)/\w+", p.read_text(encoding="utf-8")) for p in pages}
    assert {name: paths for name, paths in found.items() if paths} == {}
    assert len(pages) > 70
