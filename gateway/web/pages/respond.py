"""From a page of ours to a response on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from multidict import CIMultiDict

from gateway.core.memo import weight
from gateway.web.messages import Response
from gateway.web.pages.pages import Page

_REDIRECT_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)


def send(page: Page, cookies: Iterable[str] = (), headers: Iterable[tuple[str, str]] = ()) -> Response:
    """``page`` with Set-Cookie values and further headers."""
    fields = CIMultiDict([*page.headers, *headers])
    for cookie in cookies:
        fields.add("Set-Cookie", cookie)
    return Response(page.status, fields, page.body)


class Prepared:
    """``page``, where it is the same for everybody: its bytes are made once, not for each request."""

    __slots__ = ("_made",)

    def __init__(self, page: Page, headers: Iterable[tuple[str, str]] = ()) -> None:
        self._made = send(page, headers=headers)
        self._made.lines = self._made.first_lines()

    def weight(self) -> int:
        """Bytes that it takes: each header is two texts, what a multidict has of them, and in the lines once more."""
        made = self._made
        fields = sum(400 + 4 * (len(name) + len(value)) for name, value in made.headers.items())
        return 1_200 + fields + len(made.body)

    def response(self, cookies: Sequence[str] = (), *, line: bytes = b"") -> Response:
        """One to give away, with Set-Cookie values and one more header line."""
        made = self._made
        if not cookies:
            return Response(made.status, made.headers, made.body, lines=made.lines + line)
        fields = made.headers.copy()
        for cookie in cookies:
            fields.add("Set-Cookie", cookie)
            line += f"Set-Cookie: {cookie}\r\n".encode("ascii")
        return Response(made.status, fields, made.body, lines=made.lines + line)


def weighed(key: object, made: Prepared) -> int:
    """Bytes of an entry of a `Memo`."""
    return weight(key) + made.weight()


def redirect(location: str, *, status: int = 302, cookies: Iterable[str] = ()) -> Response:
    """A redirect to ``location`` byte for byte."""
    fields = CIMultiDict([*_REDIRECT_HEADERS, ("Location", location)])
    for cookie in cookies:
        fields.add("Set-Cookie", cookie)
    return Response(status, fields)
