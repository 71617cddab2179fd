"""The site builds without a warning, is whole, needs no network, and fits a phone."""

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from inspect import isclass, isroutine
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest
from filelock import FileLock

from jaxd2l.api_test import MODULES
from notebooks import book, running

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not find_spec("myst_nb"), reason="Sphinx is not installed: pip install 'jaxd2l[docs]'"),
]


class Page(HTMLParser):
    """What a page refers to, what can be referred to in it, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.names |= {value for name, value in attributes if name in ("id", "name") and value}
        if tag == "a":
            self.links.append(values.get("href") or "")
        else:
            self.loaded += [value for name in ("src", "href") if (value := values.get(name))]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fresh build, with warnings as errors, or the one that JAXD2L_SITE names: `make site` has made it.

    Parallel workers share one: Sphinx writes pages of the API into the source.
    """
    if made := os.environ.get("JAXD2L_SITE"):
        return Path(made)
    base = tmp_path_factory.getbasetemp()
    out = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "site"
    with FileLock(f"{out}.lock"):
        if not (out / "index.html").exists():
            options = ["-W", "--keep-going", "--quiet", "--conf-dir", "notebooks/site"]
            command = [sys.executable, "-m", "sphinx", *options, ".", str(out)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    paths = (path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts)
    return {path: Page(path) for path in paths if path.name != "measure.html"}


def test_every_notebook_is_there_with_a_link_to_its_section(site: Path, pages: dict[Path, Page]) -> None:
    for text in running.texts():
        assert book.url(text.stem) in pages[site / "notebooks" / f"{text.stem}.html"].links


def test_every_public_function_and_class_is_there(site: Path, pages: dict[Path, Page]) -> None:
    count = 0
    for module in MODULES:
        names = [name for name in module.__all__ if isroutine(getattr(module, name)) or isclass(getattr(module, name))]
        if names:
            page = pages[site / "notebooks" / "site" / "api" / f"{module.__name__}.html"]
            assert [name for name in names if f"{module.__name__}.{name}" not in page.names] == []
            count += len(names)
    assert count > 150


def test_no_link_inside_the_site_is_broken(site: Path, pages: dict[Path, Page]) -> None:
    broken, count = [], 0
    for path, page in pages.items():
        for link in page.links + page.loaded:
            target, name = urldefrag(link)
            if target.startswith(("https:", "http:", "data:", "mailto:")):
                continue
            file = (path.parent / unquote(target.partition("?")[0])).resolve() if target else path
            count += 1
            if not file.is_file() or (name and file in pages and name not in pages[file].names):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []
    assert count > 1000


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page]) -> None:
    elsewhere = {part for page in pages.values() for part in page.loaded if part.startswith(("http:", "https:", "//"))}
    assert elsewhere == set()


class Handler(SimpleHTTPRequestHandler):
    """Serves the site, and hands over what `measure.html` has found."""

    def __init__(self, answers: queue.Queue[Any], *arguments: Any, **keywords: Any) -> None:
        self.answers = answers
        super().__init__(*arguments, **keywords)

    def do_POST(self) -> None:
        self.answers.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, queue.Queue[Any]]]:
    """The address of a folder on this machine, and the queue of what is posted there."""
    answers: queue.Queue[Any] = queue.Queue()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, answers, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", answers
        server.shutdown()


@pytest.fixture(scope="module")
def measured(site: Path, pages: dict[Path, Page], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What Chromium finds on each page in frames as wide as a phone and a desk; `measure.html` has the questions."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: formulas and widths are looked at in a browser")
    shutil.copy(HERE / "measure.html", site)
    names = [path.relative_to(site).as_posix() for path in pages if path != site / "index.html"]  # it leads elsewhere
    (site / "pages.json").write_text(json.dumps(names), encoding="utf-8")
    with served(site) as (address, answers):
        quiet = ["--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        plain = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]
        folder = f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"
        browser = subprocess.Popen(
            [CHROMIUM, *plain, *quiet, folder, f"{address}/measure.html"], stderr=subprocess.DEVNULL
        )
        try:
            found = answers.get(timeout=240)
        finally:
            browser.terminate()
            browser.wait(30)
    assert len(found) == len(names)
    return found


@pytest.mark.parametrize("width", [400, 1200])
def test_nothing_is_cut_off_and_no_page_is_wider_than_the_window(measured: list[dict[str, Any]], width: int) -> None:
    assert {page["page"]: page["cut"][str(width)][:3] for page in measured if page["cut"][str(width)]} == {}


def test_every_formula_is_drawn(measured: list[dict[str, Any]]) -> None:
    assert {page["page"] for page in measured if page["drawn"] != page["formulas"] or page["wrong"]} == set()
    assert sum(page["drawn"] for page in measured) > 300


def test_every_picture_is_seen(measured: list[dict[str, Any]]) -> None:
    assert {page["page"] for page in measured if page["pictures"]} == set()
