"""``/oauth2/tab.js``: the script that makes a tab leave when its session ends (rules R15, R16 and R35)."""

from __future__ import annotations

import gzip
import json
import re

from gateway.core.http.facts import RequestFacts
from gateway.core.http.static_files import choose_encoding
from gateway.web.messages import Request, Response
from gateway.web.pages.respond import send
from gateway.web.pages.shell import Page, asset, own_headers

_HEADERS = (
    *own_headers("text/javascript; charset=utf-8", "default-src 'none'"),
    ("Vary", "Accept-Encoding"),
)
SIGNED_IN = "signed-in"
"""The query of the script in a page that only a signed-in person gets. Its session may have ended before it asks."""
_COMMENT = re.compile(r"^\s*//.*\n", re.MULTILINE)
_SPACE = re.compile(r"\s*([{}()\[\]=<>?:;,|&!+*%])\s*")


class TabScript:
    """Hands the script out, to everybody; it is not to be stored, so it is never older than the gateway (rule R27).

    :param prefix: of our own endpoints. :param reports_input: ``session.activity`` is ``input``.
    """

    def __init__(self, prefix: str, *, reports_input: bool) -> None:
        self._made = {
            needed: _Made(script(prefix, reports_input=reports_input, needed=needed))
            for needed in (False, True)
        }

    def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """The script, compressed where the browser takes it; with `SIGNED_IN` for a page that was made for somebody."""
        made = self._made[facts.query == SIGNED_IN]
        coding = choose_encoding(request.header(b"accept-encoding"), ("gzip",))
        headers = [*_HEADERS, ("Content-Encoding", coding)] if coding else _HEADERS
        return send(Page(200, made.packed if coding else made.plain, tuple(headers)))


class _Made:
    """One variant of the script."""

    def __init__(self, text: str) -> None:
        self.plain = text.encode()
        self.packed = gzip.compress(self.plain, mtime=0)


def script(prefix: str, *, reports_input: bool, needed: bool = False) -> str:
    """What is sent: the source without its comments, and without spaces where the language needs none.

    :param needed: a session; without one the tab leaves even if it has never seen any.

    That is safe for this source only, where no string has a space beside punctuation, no statement is empty, and each
    ends with a semicolon or a brace.
    """
    settings = [prefix, reports_input, *([""] if needed else [])]
    source = _COMMENT.sub("", asset("tab.js")).replace("SETTINGS", json.dumps(settings))
    return _SPACE.sub(r"\1", source).strip().replace(";}", "}")
