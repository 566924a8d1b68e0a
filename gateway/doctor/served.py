"""What the upstreams serve at their roots: fetched once, as the gateway would for whoever opens the application."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.http.routes import upstream_target
from gateway.doctor.probe import NoAnswerError, Probe, Reply
from gateway.proxy.address import authority_of
from gateway.settings.model import Settings
from gateway.settings.sections import UpstreamSection

WITHIN = 5.0
"""Seconds that the application may take for one answer."""


@dataclass(frozen=True, slots=True)
class Served:
    """What one upstream answers to a navigation. ``fault``: why there is no answer."""

    upstream: UpstreamSection
    seen: Reply | None = None
    fault: str = ""

    @property
    def document(self) -> Reply | None:
        """The answer, if it is HTML that a browser would show."""
        seen = self.seen
        return seen if seen is not None and seen.is_html and seen.status < 500 else None


async def ask_upstreams(settings: Settings) -> tuple[Served, ...]:
    """All of them, in the order of the configuration. Never raises."""
    found: list[Served] = []
    for upstream in settings.upstreams:
        try:
            found.append(Served(upstream, await fetched(upstream, settings, upstream.path)))
        except NoAnswerError as error:
            found.append(Served(upstream, fault=str(error)))
    return tuple(found)


async def fetched(upstream: UpstreamSection, settings: Settings, path: str) -> Reply:
    """What a navigation to ``path`` is answered; a directory answers with its files.

    :raises NoAnswerError: nothing came.
    """
    url = upstream.url
    if url.kind == "file":
        return _file(upstream, path)
    probe = Probe(ca_file=upstream.ca_file, socket=url.path if url.kind == "unix" else None, within=WITHIN)
    base = "http://localhost" if url.kind == "unix" else str(url)
    segments = upstream.path.rstrip("/").count("/") if upstream.strip_prefix else 0
    path = upstream_target(path, base="", segments=segments)
    headers = {
        "host": authority_of(str(url)) if upstream.host == "own" else settings.public_url.authority,
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
    }
    return await probe.get(f"{base}{path}", headers)


def _file(upstream: UpstreamSection, path: str) -> Reply:
    directory = upstream.url.path
    assert directory is not None
    name = path.removeprefix(upstream.path).lstrip("/") or "index.html"
    kind = "text/html" if name.endswith(".html") else "text/javascript"
    try:
        text = (directory / name).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise NoAnswerError(f"{directory / name}: {error.strerror}") from None
    return Reply(200, (("content-type", kind), ("cache-control", "no-store")), text)
