"""A browser small enough to read: cookies by host with SameSite, redirects followed by hand, forms filled in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from ssl import SSLContext
from typing import Self
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from aiohttp import ClientSession, DummyCookieJar, TCPConnector
from yarl import URL

from gateway.demo.loopback import LoopbackResolver


@dataclass(frozen=True)
class Page:
    """One response: *url* is what was asked for, *location* absolute or empty."""

    url: str
    status: int
    headers: list[tuple[str, str]]
    text: str

    @property
    def location(self) -> str:
        return urljoin(self.url, self.header("Location")) if self.header("Location") else ""

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def cookie_lines(self) -> list[str]:
        return [value for key, value in self.headers if key.lower() == "set-cookie"]

    def form(self) -> tuple[str, dict[str, str]]:
        """Return action (absolute) and hidden fields of the one form of the page."""
        action = re.search(r'<form[^>]* action="([^"]*)"', self.text)
        assert action, self.text
        fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', self.text)
        return urljoin(self.url, unescape(action[1])), {unescape(k): unescape(v) for k, v in fields}

    def link(self, element: str) -> str:
        found = re.search(rf'id="{element}" href="([^"]*)"', self.text)
        assert found, self.text
        return urljoin(self.url, unescape(found[1]))

    def query(self) -> dict[str, str]:
        """Return the query of the location."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.location).query).items()}


@dataclass
class Browser:
    """Navigations as a browser makes them; two hosts are two sites."""

    session: ClientSession
    cookies: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    visited: list[Page] = field(default_factory=list)

    @classmethod
    def open(cls, ssl: SSLContext | bool = True) -> Self:
        connector = TCPConnector(resolver=LoopbackResolver("127.0.0.1"), ssl=ssl, use_dns_cache=False)
        return cls(ClientSession(connector=connector, cookie_jar=DummyCookieJar()))

    async def close(self) -> None:
        await self.session.close()

    def cookie(self, url: str, name: str) -> str | None:
        return self.cookies.get((urlsplit(url).hostname or "", name), (None, ""))[0]

    async def get(self, url: str, *, source: str = "") -> Page:
        """Navigate to *url*, coming from a page at *source* (empty: typed into the address bar)."""
        return await self._send("GET", url, source, None)

    async def post(self, url: str, fields: dict[str, str], *, source: str = "") -> Page:
        return await self._send("POST", url, source or url, urlencode(fields))

    async def follow(self, page: Page, *, until: str = "\0") -> Page:
        """Follow redirects and self-posting forms; stop at a location that starts with *until*."""
        for _ in range(20):
            if page.status in {302, 303}:
                if page.location.startswith(until):
                    return page
                page = await self.get(page.location, source=page.url)
            elif "document.forms[0].submit()" in page.text:
                action, fields = page.form()
                page = await self.post(action, fields, source=page.url)
            else:
                return page
        raise AssertionError("redirect loop")

    async def _send(self, method: str, url: str, source: str, body: str | None) -> Page:
        headers = {"Cookie": self._cookie_header(method, url, source)}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        sent = {name: value for name, value in headers.items() if value}
        async with self.session.request(
            method, URL(url, encoded=True), data=body, headers=sent, allow_redirects=False
        ) as response:
            page = Page(url, response.status, list(response.headers.items()), await response.text())
        self._keep(page)
        self.visited.append(page)
        return page

    def _cookie_header(self, method: str, url: str, source: str) -> str:
        host = urlsplit(url).hostname or ""
        same_site = not source or urlsplit(source).hostname == host
        parts = []
        for (owner, name), (value, policy) in self.cookies.items():
            allowed = same_site or policy in {"", "None"} or (policy == "Lax" and method == "GET")
            if owner == host and allowed:
                parts.append(f"{name}={value}")
        return "; ".join(parts)

    def _keep(self, page: Page) -> None:
        host = urlsplit(page.url).hostname or ""
        for line in page.cookie_lines():
            pair, *attributes = line.split("; ")
            name, _, value = pair.partition("=")
            given = dict(attribute.partition("=")[::2] for attribute in attributes)
            self.cookies.pop((host, name), None)
            if given.get("Max-Age") != "0":
                self.cookies[host, name] = (value, given.get("SameSite", ""))
