"""Where Okta lets a browser be sent: paths on the org, and trusted origins with the Redirect scope."""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.demo.okta.state import Okta

UNSAFE = frozenset("\\\t\r\n")


def is_own_path(target: str) -> bool:
    """Say whether *target* is a path on this origin that no browser reads as another host."""
    return target.startswith("/") and not target.startswith("//") and not UNSAFE & set(target)


def is_trusted(okta: Okta, target: str) -> bool:
    """Say whether the origin (scheme, host, port) of *target* is a trusted origin."""
    origin = origin_of(target)
    return origin is not None and origin in {origin_of(trusted) for trusted in okta.common.options.origins}


def origin_of(url: str) -> tuple[str, str, int | None] | None:
    """Return scheme, host and port of *url*; None when it has user information or cannot be read."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or "@" in parts.netloc or UNSAFE & set(url):
        return None
    return parts.scheme, parts.hostname, port
