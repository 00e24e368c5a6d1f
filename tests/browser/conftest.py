"""A real headless Chromium, and a watch over all that a page must never do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kl_derail.inspect.html import EpisodeSet, write_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's browser, gone with the module: as long as it is there, so is its event loop."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright (pip install playwright)"
    )
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"needs a browser of the system: one of {', '.join(NAMES)}")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Watched:
    """An open page and what it did that it should not."""

    page: Page
    address: str
    wrongs: list[str] = field(default_factory=list)

    def check(self) -> None:
        assert self.wrongs == []
        assert self.page.evaluate("window.pwned") is None
        assert self.page.url.split("#")[0] == self.address


Opener = Callable[[Sequence[EpisodeSet]], Watched]


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Opens a page of some sets; in the end nothing may have been run, asked, logged or requested."""
    opened: list[Watched] = []

    def opener(sets: Sequence[EpisodeSet], title: str = "test", **options: object) -> Watched:
        path = write_page(tmp_path / f"page-{len(opened)}.html", sets, title=title)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, **options)
        found = Watched(page, path.as_uri())
        page.on("console", lambda message: found.wrongs.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: found.wrongs.append(f"error: {error}"))
        page.on("dialog", lambda dialog: found.wrongs.append(f"dialog: {dialog.message}"))
        page.on("popup", lambda popup: found.wrongs.append(f"popup: {popup.url}"))
        page.on("download", lambda download: found.wrongs.append(f"download: {download.url}"))
        page.on(
            "request",
            lambda request: (
                request.url == found.address or found.wrongs.append(f"request: {request.url}")
            ),
        )
        page.goto(found.address)
        page.wait_for_selector("html[data-ready]")
        opened.append(found)
        return found

    yield opener
    for each in opened:
        each.check()
        each.page.close()
