"""What a document of the application says: its scripts, its policies, its service worker. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlsplit

_WORKER = re.compile(r"serviceWorker\s*\.\s*register\s*\(\s*(?:['\"]([^'\"\\]{1,200})['\"])?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True)
class Html:
    """One HTML document.

    :ivar scripts: addresses of scripts, as written. :ivar policies: Content-Security-Policies in meta elements.
    :ivar worker: address of a service worker that an inline script registers; empty for one that cannot be read;
        None without one.
    """

    scripts: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)
    worker: str | None = None

    @classmethod
    def read(cls, text: str) -> Html:
        """The document, however broken it is."""
        reader = _Reader()
        reader.feed(text)
        found = _WORKER.search(text)
        reader.page.worker = None if found is None else found[1] or ""
        return reader.page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Html()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Both elements count wherever they stand."""
        found = {key: value or "" for key, value in attrs}
        if tag == "script" and found.get("src"):
            self.page.scripts.append(found["src"])
        elif tag == "meta" and found.get("http-equiv", "").lower() == "content-security-policy":
            self.page.policies.append(found.get("content", ""))


def form_action(policy: str) -> tuple[str, ...] | None:
    """The sources of ``form-action``; None without the directive (CSP 3 §6.4.2: nothing else stands in for it)."""
    for directive in policy.split(";"):
        name, *sources = directive.split()[:100] or [""]
        if name.lower() == "form-action":
            return tuple(sources)
    return None


def policies_of(header: str) -> list[str]:
    """The policies in a header: each of a comma-separated list holds by itself (CSP 3 §2.2.2)."""
    return [policy for policy in header.split(",") if policy.strip()]


def uncovered(sources: Iterable[str], origins: Iterable[str], own: str) -> list[str]:
    """Which of ``origins`` no source matches (CSP 3 §6.7.2.8).

    :param own: the page's origin, for ``'self'`` and sources without a scheme.
    """
    listed = list(sources)
    return [origin for origin in origins if not any(_matches(source, origin, own) for source in listed)]


def _matches(source: str, origin: str, own: str) -> bool:
    source = source.lower()
    if source in {"*", f"{urlsplit(origin).scheme}:"}:
        return True
    if source == "'self'":
        return origin == own
    if source.startswith("'"):
        return False
    return _host_matches(source if "://" in source else f"{urlsplit(own).scheme}://{source}", origin)


def _host_matches(source: str, origin: str) -> bool:
    scheme, _, rest = source.partition("://")
    host, _, port = rest.partition("/")[0].partition(":")
    wanted = urlsplit(origin)
    name = wanted.hostname or ""
    at = wanted.port or _DEFAULT_PORTS.get(wanted.scheme, 0)
    hosts = name == host or (host.startswith("*.") and name.endswith(host[1:]))
    ports = port in {"*", str(at)} or (not port and at == _DEFAULT_PORTS.get(scheme, 0))
    return scheme == wanted.scheme and hosts and ports


def may_share_a_site(one: str, other: str) -> str:
    """The domain that two hosts have in common, empty when they have none worth the name.

    Two labels or more: without the list of public suffixes ``co.uk`` cannot be told from ``example.com``.
    """
    common: list[str] = []
    for mine, theirs in zip(
        reversed(one.lower().split(".")), reversed(other.lower().split(".")), strict=False
    ):
        if mine != theirs:
            break
        common.insert(0, mine)
    return ".".join(common) if len(common) >= 2 else ""
