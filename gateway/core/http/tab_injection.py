"""Puts ``<script src>`` into an HTML document that passes through (``browser.inject_tab_script``, rules R15 and R30).

The script comes first in the head, before anything of the application runs. So only the beginning of the document is
looked at: byte-order mark, doctype, comments, the ``html`` and the ``head`` tag (WHATWG HTML §13.1). What begins in
another way is no document but a piece of one, and is left alone, as is everything that is compressed or not complete.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from gateway.core.http.response_headers import NONE, RawHeaders, ResponseHead

LONGEST = 8_192
"""Bytes of a document that are held back until the place is found: beyond that it is left as it is."""
_LONGEST_NAME = 16
"""Bytes, surely: of what a tag, a doctype or a comment begins with."""

_SKIPPED = re.compile(rb"(?:\xef\xbb\xbf)?[\t\n\f\r ]*")
_COMMENT = re.compile(rb"<!--(?:-?>|.*?--!?>)", re.DOTALL)
_DOCTYPE = re.compile(rb"<!doctype[^>]*>", re.IGNORECASE)
_BOGUS = re.compile(rb"<[!?](?!--)[^>]*>")
"""What parsers take for a comment, such as an XML declaration."""
_ATTRIBUTES = rb"(?>[^>=]+|=[\t\n\f\r ]*(?:\"[^\"]*\"|'[^']*'|(?![\"'\t\n\f\r ])))*+>"
_HTML = re.compile(rb"<html(?=[\t\n\f\r />])" + _ATTRIBUTES, re.IGNORECASE)
_HEAD = re.compile(rb"<head(?=[\t\n\f\r />])" + _ATTRIBUTES, re.IGNORECASE)
_BEGUN = re.compile(
    rb"\xef\xbb?|<(?:!.*|\?.*|h(?:t(?:m(?:l(?:[\t\n\f\r /].*)?)?)?|e(?:a(?:d(?:[\t\n\f\r /].*)?)?)?)?)?",
    re.IGNORECASE | re.DOTALL,
)
"""One of the above, as far as it has come."""

_NONCE = re.compile(r"'nonce-([A-Za-z0-9+/_-]+={0,2})'", re.IGNORECASE)
_STALE = frozenset(
    {
        b"content-length",
        b"etag",
        b"accept-ranges",
        b"content-md5",
        b"digest",
        b"content-digest",
        b"repr-digest",
    }
)
"""Headers that are not true of the document with the script in it."""
_NOT_ASKED_FOR = frozenset(
    {b"accept-encoding", b"range", b"if-range", b"if-none-match", b"if-modified-since"}
)
"""Compressed, in parts, or not at all because the client had it: the client's copy has another length, and a script."""
_INCOMPLETE = frozenset({204, 205, 206, 304})


class Insertion:
    """One document on its way.

    :param tag: what is put into it.
    """

    __slots__ = ("_at", "_document", "_held", "_over", "_tag")

    def __init__(self, tag: bytes) -> None:
        self._tag = tag
        self._held = b""
        self._at = 0
        self._document = False
        self._over = False

    def feed(self, data: bytes, *, last: bool) -> bytes:
        """What to send when ``data`` has come; ``last``: there is no more."""
        if self._over:
            return data
        waits = (
            len(self._held) - self._at > _LONGEST_NAME
        )  # inside a tag or a comment: only its end can be news
        held = self._held = self._held + data
        place = None if waits and b">" not in data else self._place(held)
        if place is None and not last and len(held) <= LONGEST:
            return b""
        self._over = True
        self._held = b""
        return held if place is None or place < 0 else held[:place] + self._tag + held[place:]

    def _place(self, held: bytes) -> int | None:
        """Where the script goes: -1 nowhere, None while that cannot be said."""
        while True:
            self._at = _end(_SKIPPED, held, self._at) or self._at
            if head := _end(_HEAD, held, self._at):
                return head
            if passed := _end(_COMMENT, held, self._at):
                self._at = passed
            elif passed := (_end(_DOCTYPE, held, self._at) or _end(_HTML, held, self._at)):
                self._at, self._document = passed, True
            elif passed := _end(_BOGUS, held, self._at):
                self._at = passed
            elif self._at == len(held) or _BEGUN.fullmatch(held, self._at):
                return None
            else:
                return self._at if self._document else -1


def _end(pattern: re.Pattern[bytes], held: bytes, at: int) -> int:
    found = pattern.match(held, at)
    return found.end() if found else 0


def insertion(head: ResponseHead, status: int, script: str) -> Insertion | None:
    """How the document that follows ``head`` gets the script; None for what is no whole, plain HTML document.

    :param head: as it would go to the client. :param script: path of the script.
    """
    if head.framing == NONE or status in _INCOMPLETE:
        return None
    policies = []
    html = False
    for name, value in _fields(head.raw):
        if name == b"content-type":
            html = value.partition(b";")[0].strip().lower() == b"text/html"
        elif name == b"content-encoding" and value.strip().lower() != b"identity":
            return None
        elif name == b"content-security-policy":
            policies.append(value.decode("latin-1"))
    return Insertion(_tag(script, policies)) if html else None


def uncompressed(headers: RawHeaders) -> tuple[tuple[bytes, bytes], ...]:
    """A request's headers that ask for a response to which a script can be added."""
    return tuple(field for field in headers if field[0].lower() not in _NOT_ASKED_FOR)


def reframed(head: ResponseHead, *, length: int | None, http10: bool) -> ResponseHead:
    """The head of the document with the script in it.

    :param length: bytes of the body where all of it is at hand, else None.
    """
    first, *lines = head.raw[:-4].split(b"\r\n")
    gone = _STALE | {b"transfer-encoding"} | ({b"connection"} if length is None and http10 else set())
    kept = [line for line in lines if line.partition(b":")[0].lower() not in gone]
    chunk = length is None and not http10
    close = head.close or (length is None and http10)
    if length is not None:
        kept.append(b"Content-Length: %d" % length)
    elif chunk:
        kept.append(b"Transfer-Encoding: chunked")
    else:
        kept.append(b"Connection: close")
    return replace(head, raw=b"\r\n".join((first, *kept, b"\r\n")), chunk=chunk, close=close)


def _fields(raw: bytes) -> Iterable[tuple[bytes, bytes]]:
    for line in raw[:-4].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        yield name.lower(), value.strip(b" \t")


def _tag(script: str, policies: Iterable[str]) -> bytes:
    nonce = next((found for policy in policies if (found := nonce_of(policy))), "")
    attribute = f' nonce="{nonce}"' if nonce else ""
    return f'<script src="{script}" async{attribute}></script>'.encode()


def nonce_of(policies: str) -> str:
    """The nonce that scripts need by a Content-Security-Policy header, "" where there is none (CSP Level 3 §6.7.2).

    :param policies: one or more policies, separated by commas.
    """
    for policy in policies.split(","):
        directives: dict[str, str] = {}
        for directive in policy.split(";"):
            name, _, value = directive.strip().partition(" ")
            directives.setdefault(name.lower(), value)
        for name in ("script-src-elem", "script-src", "default-src"):
            if name in directives:
                if found := _NONCE.search(directives[name]):
                    return found[1]
                break
    return ""
