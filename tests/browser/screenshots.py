"""Renders every page of the gateway in light and dark, wide and narrow, into a directory.

    python -m tests.browser.screenshots DIRECTORY [NAME …]

Pictures are named PAGE-SCHEME-WIDTH.png. Pages that move on by
themselves are drawn without their script.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Route, sync_playwright

from gateway.web.pages.pages import Page
from tests import programs
from tests.web.page_samples import SAMPLES

ADDRESS = "http://app.localhost/page"
SCHEMES = ("light", "dark")
WIDTHS = (1280, 360)


def main(arguments: list[str]) -> int:
    """Draw the pages named, or all."""
    if not arguments:
        print(__doc__)
        return 2
    names = arguments[1:] or list(SAMPLES)
    if unknown := [name for name in names if name not in SAMPLES]:
        print(f"no such page: {', '.join(unknown)}; there are {', '.join(SAMPLES)}", file=sys.stderr)
        return 2
    programs.only("tests")
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=programs.program("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for scheme, width in product(SCHEMES, WIDTHS):
            draw(browser, directory, names, scheme, width)
        browser.close()
    return 0


def draw(browser: Browser, directory: Path, names: list[str], scheme: str, width: int) -> None:
    """One picture of each page at this width, in this colour scheme."""
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 720},
        reduced_motion="reduce",
        timezone_id="Europe/Berlin",
    )
    for name in names:
        tab = context.new_page()
        tab.route("**/*", _serving(SAMPLES[name]()))
        tab.goto(ADDRESS)
        tab.screenshot(path=directory / f"{name}-{scheme}-{width}.png", full_page=True)
        tab.close()
    context.close()


def _serving(page: Page) -> Callable[[Route], None]:
    """Answer every request with the page, held in its place if it would move on."""
    held = page.body.split(b"<script>")[0] if b' moving">' in page.body else page.body

    def answer(route: Route) -> None:
        route.fulfill(status=page.status, headers=dict(page.headers), body=held)

    return answer


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
