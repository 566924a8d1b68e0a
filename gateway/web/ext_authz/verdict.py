"""The gateway's answer becomes a CheckResponse: a pass with what the application hears, or the page as it is.

Envoy takes ``append_action`` or, in older versions, ``append``; where a value replaces another both say so. Nothing is
in two of the lists, for versions differ in which of them comes last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.core.http.forwarded import cookies_for_application
from gateway.web.ext_authz.messages_pb2 import (
    CheckResponse,
    DeniedHttpResponse,
    Flag,
    HeaderOption,
    HttpStatus,
    OkHttpResponse,
    Status,
    TextHeader,
)
from gateway.web.messages import Response

_ADD, _OVERWRITE = 0, 2
"""Of ``HeaderValueOption.HeaderAppendAction``."""
_PERMISSION_DENIED, _UNAUTHENTICATED = 7, 16
"""Of ``google.rpc.Code``: all but 0 is a refusal."""
_NO_IDENTITY = frozenset({"cache-control", "content-type", "set-cookie"})
"""What is about the answer to the question itself, or goes to the browser."""


def passed(response: Response, headers: Sequence[tuple[bytes, bytes]], taken_out: Iterable[bytes]) -> bytes:
    """The request may pass.

    :param response: 200, with every identity header, the unknown ones empty, and cookies for the browser.
    :param headers: the client's. :param taken_out: names among them that no client may send.
    """
    identity = {
        name.lower(): value for name, value in response.headers.items() if name.lower() not in _NO_IDENTITY
    }
    ok = OkHttpResponse(headers=[_put(name, value) for name, value in identity.items() if value])
    remove = {name.lower().decode("ascii") for name in taken_out}
    remove.update(identity)
    cookies = _foreign_cookies(headers)
    if cookies:
        ok.headers.append(_put("cookie", cookies))
    elif cookies is not None:
        remove.add("cookie")
    ok.headers_to_remove.extend(sorted(remove - {each.header.key for each in ok.headers}))
    ok.response_headers_to_add.extend(
        _add("set-cookie", line) for line in response.headers.getall("Set-Cookie", ())
    )
    return CheckResponse(status=Status(code=0), ok_response=ok).SerializeToString()


def denied(response: Response) -> bytes:
    """The answer goes to the browser as it is."""
    code = _UNAUTHENTICATED if response.status == 401 else _PERMISSION_DENIED
    lines = [
        (_add if name.lower() == "set-cookie" else _put)(name.lower(), value)
        for name, value in response.headers.items()
    ]
    answer = DeniedHttpResponse(
        status=HttpStatus(code=response.status), headers=lines, body=response.body.decode("utf-8", "replace")
    )
    return CheckResponse(status=Status(code=code), denied_response=answer).SerializeToString()


def _foreign_cookies(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """What of the client's cookies is the application's; None where all of it is."""
    values = [value for name, value in headers if name.lower() == b"cookie"]
    kept = cookies_for_application(values)
    if kept == b"; ".join(values):
        return None
    try:
        return kept.decode("utf-8")
    except UnicodeDecodeError:
        return ""  # no text of this protocol can hold it


def _put(name: str, value: str) -> HeaderOption:
    header = TextHeader(key=name, value=value)
    return HeaderOption(header=header, append=Flag(value=False), append_action=_OVERWRITE)


def _add(name: str, value: str) -> HeaderOption:
    return HeaderOption(header=TextHeader(key=name, value=value), append_action=_ADD)
