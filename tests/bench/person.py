"""Somebody with a browser: signs in to a peer at the provider, and has the cookies that the load then carries."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.fakes.browser import Browser, Seen

_LONG_AGO = "expires=thu, 01 jan 1970"


class Person(Browser):
    """A browser that also knows cookies by their path: the provider keeps several of one name.

    :ivar scoped: value and SameSite by host, name and path; only those that fit a request's path are sent with it.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.scoped: dict[tuple[str, str, str], tuple[str, str]] = {}

    def _keep(self, page: Seen) -> None:
        host = urlsplit(page.url).netloc
        for line in page.set_cookies():
            pair, *attributes = (part.strip() for part in line.split(";"))
            name, _, value = pair.partition("=")
            known = {key.lower(): text for key, _, text in (each.partition("=") for each in attributes)}
            key = (host, name, known.get("path", "/"))
            self.scoped.pop(key, None)
            if known.get("max-age") != "0" and _LONG_AGO not in line.lower():
                self.scoped[key] = value, known.get("samesite", "Lax").capitalize()

    async def send(
        self, method: str, url: str, headers: dict[str, str], body: str | None, *, cross_site: bool = False
    ) -> Seen:
        self._fit(url)
        return await super().send(method, url, headers, body, cross_site=cross_site)

    def cookie_header(self, url: str) -> str:
        self._fit(url)
        return super().cookie_header(url)

    def _fit(self, url: str) -> None:
        parts = urlsplit(url)
        self.cookies = {
            (host, name): kept
            for (host, name, path), kept in self.scoped.items()
            if host == parts.netloc and (parts.path or "/").startswith(path)
        }


async def sign_in(person: Person, url: str) -> Seen:
    """Navigate to ``url`` and fill in the provider's forms on the way; the page that is shown at the end."""
    page = await person.goto(url)
    if 'name="login"' in page.text:
        page = await person.submit(page, login="alice", password="any")
    if 'value="consent"' in page.text:
        page = await person.submit(page)
    return page
