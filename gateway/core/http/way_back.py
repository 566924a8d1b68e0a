"""Where an upstream's redirects lead in the browser, for one whose own addresses are others than the browser's.

What was done to the target on the way there (``strip_prefix``, a path in ``url``) and to the host (``host: own``) is
undone in ``Location``, as nginx's ``proxy_redirect default`` does it. Links in pages and the ``Path`` of cookies are
the application's own: neither nginx, Traefik nor Caddy touches them unasked.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ADDRESS = re.compile(rb"((?:https?:)?//)([^/?#\\]*)([^\\]*)", re.IGNORECASE | re.DOTALL)


class WayBack(NamedTuple):
    """One upstream's.

    :ivar prefix: what is in front of its paths in the browser, without the last slash. :ivar base: what is in front of
        them at the upstream, likewise. :ivar own: its authority. :ivar hosts: those of the gateway, lower-case.
    """

    prefix: bytes
    base: bytes
    own: bytes
    hosts: frozenset[bytes]

    def location(self, value: bytes) -> bytes:
        """A ``Location`` as the browser needs it; one that leads elsewhere, or is relative, stays as it is."""
        found = _ADDRESS.fullmatch(value)
        if found is None:
            return self._path(value) or value
        scheme, authority, path = found.groups()
        host = authority.lower()
        if host == self.own and (back := self._path(path or b"/")):
            return back if host not in self.hosts else scheme + authority + back
        return scheme + authority + (self._path(path or b"/") or path) if host in self.hosts else value

    def _path(self, target: bytes) -> bytes:
        """Empty where it is none of the upstream's own."""
        if not target.startswith(b"/") or target.startswith((b"//", b"/\\")):
            return b""
        path = re.split(rb"[?#]", target, maxsplit=1)[0]
        if self.base:
            if not _under(path, self.base):
                return b""
            target = target[len(self.base) :]
            back = self.prefix + (target if target.startswith(b"/") else b"/" + target)
            return b"" if back.startswith((b"//", b"/\\")) else back  # that would be another host
        # An application that knows its prefix (X-Forwarded-Prefix) has put it there already.
        return target if self.prefix and _under(path, self.prefix) else self.prefix + target


def _under(path: bytes, prefix: bytes) -> bool:
    return path == prefix or path.startswith(prefix + b"/")
