"""A browser small enough to read: Sec-Fetch headers, cookies by host with SameSite, redirects and forms by hand."""

from __future__ import annotations

import re
from asyncio import sleep, timeout
from dataclasses import dataclass, field
from html import unescape
from typing import Self
from urllib.parse import urlencode, urljoin, urlsplit

from aiohttp import ClientSession, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver
from yarl import URL

from tests.fakes.patience import PATIENCE


class Loopback(AbstractResolver):
    """Every name is this machine."""

    async def resolve(self, host, port=0, family=0):
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        return None


@dataclass(frozen=True)
class Seen:
    """One response. ``location`` is absolute, or empty."""

    url: str
    status: int
    headers: list[tuple[str, str]]
    text: str

    @property
    def location(self) -> str:
        return urljoin(self.url, self.header("Location")) if self.header("Location") else ""

    @property
    def path(self) -> str:
        parts = urlsplit(self.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    @property
    def asks_for_password(self) -> bool:
        return 'name="password"' in self.text

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def set_cookies(self) -> list[str]:
        return [value for key, value in self.headers if key.lower() == "set-cookie"]

    def continue_url(self) -> str:
        found = re.search(r'<a[^>]*id="continue"[^>]*href="([^"]*)"', self.text) or re.search(
            r'<a[^>]*href="([^"]*)"[^>]*id="continue"', self.text
        )
        return urljoin(self.url, unescape(found[1])) if found else ""

    def form(self) -> tuple[str, dict[str, str]]:
        """Absolute action and hidden fields of the first form."""
        action = re.search(r'<form[^>]* action="([^"]*)"', self.text)
        assert action, self.text
        fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', self.text)
        return urljoin(self.url, unescape(action[1])), {unescape(k): unescape(v) for k, v in fields}


@dataclass(frozen=True)
class Kept:
    """A cookie as a browser keeps it, of the host of ``url`` alone. ``same_site``: Strict, Lax, None or empty."""

    url: str
    name: str
    value: str
    path: str
    same_site: str
    secure: bool
    http_only: bool


@dataclass
class Browser:
    """Navigations and fetches as a browser makes them; hosts with different names are different sites."""

    session: ClientSession
    cookies: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    paths: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def open(cls) -> Self:
        connector = TCPConnector(resolver=Loopback(), use_dns_cache=False)
        return cls(ClientSession(connector=connector, cookie_jar=DummyCookieJar()))

    async def close(self) -> None:
        await self.session.close()

    def cookie_header(self, url: str) -> str:
        """Everything the browser would send on a same-site request."""
        return "; ".join(
            f"{name}={value}"
            for (owner, name), (value, _) in self.cookies.items()
            if self._goes_to(owner, name, url)
        )

    def kept(self) -> list[Kept]:
        """All its cookies, with what their last setting says of them."""
        found = {}
        for page in self.seen:
            owner = urlsplit(page.url).netloc
            for line in page.set_cookies():
                name = line.partition("=")[0]
                if (owner, name) in self.cookies:
                    said = {part.strip().lower() for part in line.split(";")[1:]}
                    value, same_site = self.cookies[owner, name]
                    found[owner, name] = Kept(
                        page.url,
                        name,
                        value,
                        self.paths[owner, name],
                        same_site,
                        "secure" in said,
                        "httponly" in said,
                    )
        return list(found.values())

    def _goes_to(self, owner: str, name: str, url: str) -> bool:
        """Host and path match (RFC 6265 §5.1.4)."""
        host, asked, path = (
            urlsplit(url).netloc,
            urlsplit(url).path or "/",
            self.paths.get((owner, name), "/"),
        )
        return owner == host and (asked == path or asked.startswith(path.rstrip("/") + "/"))

    def cookie_names(self, url: str) -> set[str]:
        host = urlsplit(url).netloc
        return {name for owner, name in self.cookies if owner == host}

    async def goto(self, url: str, *, source: str = "", until: str = "\0") -> Seen:
        """Navigate, follow redirects, pages that move on by themselves, and self-posting forms.

        :param source: the page a link was clicked on; empty: typed into the address bar.
        :param until: stop before a request to an address that starts so.
        """
        site = _site(source, url)
        page = await self.navigate(url, site=site)
        return await self.follow(page, site=site, until=until)

    async def follow(self, page: Seen, *, site: str, until: str = "\0") -> Seen:
        for _ in range(30):
            if page.status in {301, 302, 303, 307}:
                target, method, body = page.location, "GET", None
            elif "document.forms[0].submit()" in page.text:
                target, fields = page.form()
                method, body, site = "POST", urlencode(fields), _site(page.url, target)
            elif page.status in {200, 401} and ' moving">' in page.text and page.continue_url():
                target, method, body = page.continue_url(), "GET", None
                site = _site(page.url, target)
            else:
                return page
            if target.startswith(until):
                return page
            site = site if site == "none" or _site(page.url, target) != "cross-site" else "cross-site"
            page = await self.navigate(target, method=method, body=body, site=site)
        raise AssertionError(f"redirect loop at {page.url}")

    async def submit(self, page: Seen, until: str = "\0", **fields: str) -> Seen:
        """Fill in and send the page's form."""
        action, hidden = page.form()
        site = _site(page.url, action)
        answer = await self.navigate(action, method="POST", body=urlencode({**hidden, **fields}), site=site)
        return await self.follow(answer, site=site, until=until)

    async def sign_in(self, url: str, *, user: str = "alice@example.com", proofs: int = 1) -> Seen:
        """Navigate, prove who one is when asked, and come again while what is shared answers too late (503).

        :param proofs: how often the password is given at most, from each time that a page says to come again.
        :returns: where that ends; the form, when it is asked for more often.
        """
        before = len(self.seen)
        page, left = await self.goto(url), proofs
        async with timeout(PATIENCE):
            while page.status == 503 or (page.asks_for_password and left):
                if page.status == 503:
                    await sleep(0.05)
                    page, left = await self.goto(url), proofs
                else:
                    page, left = await self.submit(page, username=user, password="demo"), left - 1
        asked = any(seen.asks_for_password for seen in self.seen[before:])
        assert asked, (page.url, page.status, page.text[:500])
        return page

    async def navigate(
        self, url: str, *, method: str = "GET", body: str | None = None, site: str = "none"
    ) -> Seen:
        """One request of a navigation, nothing followed."""
        headers = {
            "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            "Sec-Fetch-Site": site,
        }
        if method == "POST":
            parts = urlsplit(self.seen[-1].url)
            headers["Origin"] = f"{parts.scheme}://{parts.netloc}"
        return await self.send(method, url, headers, body, cross_site=site == "cross-site")

    async def fetch(self, url: str, *, method: str = "GET", body: str | None = None, **headers: str) -> Seen:
        """A same-origin fetch() of a script."""
        given = {
            "Accept": "*/*",
            "Sec-Fetch-Mode": "cors",
            "Sec-Fetch-Dest": "empty",
            "Sec-Fetch-Site": "same-origin",
        }
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.send(method, url, {**given, **extra}, body)

    async def send(
        self, method: str, url: str, headers: dict[str, str], body: str | None, *, cross_site: bool = False
    ) -> Seen:
        pairs = [
            f"{name}={value}"
            for (owner, name), (value, policy) in self.cookies.items()
            if self._goes_to(owner, name, url)
            and (not cross_site or policy == "None" or (policy == "Lax" and method == "GET"))
        ]
        sent = dict(headers)
        if pairs:
            sent["Cookie"] = "; ".join(pairs)
        if body is not None:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        async with self.session.request(
            method, URL(url, encoded=True), data=body, headers=sent, allow_redirects=False
        ) as response:
            page = Seen(url, response.status, list(response.headers.items()), await response.text())
        self._keep(page)
        self.seen.append(page)
        return page

    def _keep(self, page: Seen) -> None:
        host = urlsplit(page.url).netloc
        for line in page.set_cookies():
            pair, *attributes = (part.strip() for part in line.split(";"))
            name, _, value = pair.partition("=")
            given = {key.lower(): text for key, _, text in (a.partition("=") for a in attributes)}
            self.cookies.pop((host, name), None)
            if given.get("max-age") != "0":
                self.cookies[host, name] = (value, given.get("samesite", ""))
                self.paths[host, name] = given.get("path", "/")


def _site(source: str, url: str) -> str:
    if not source:
        return "none"
    here, there = urlsplit(source), urlsplit(url)
    if (here.scheme, here.netloc) == (there.scheme, there.netloc):
        return "same-origin"
    return "same-site" if here.hostname == there.hostname else "cross-site"
