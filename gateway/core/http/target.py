"""The request target, read once: what is decided is what is forwarded (rule R32).

The raw target goes to the upstream untouched; policy sees its path percent-decoded once. A target that two parsers
could read in two ways is refused (design section 3): its decoding must not yield a slash, a backslash, NUL or any
other control byte, a dot segment or an empty segment, and must be UTF-8. Parameters (``;`` and what follows in a
segment, RFC 3986 §3.3) are handed on and not judged: some servers read ``/admin;x`` as ``/admin``, and Angular writes
routes with them. So neither with them nor without may there be a dot segment or an empty one.
"""

from __future__ import annotations

import re
from posixpath import normpath
from urllib.parse import unquote, unquote_to_bytes

from gateway.core.errors import DownstreamError

_PLAIN = re.compile(r"/[A-Za-z0-9\-_~!$&'()*+,=:@./]*")
"""Paths of RFC 3986 §3.3 without percent-encoding and without ``;``."""
_VISIBLE = re.compile(r"[!-~]+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED_SLASH = re.compile(r"%2[Ff]")
_LOGOUT, _LOGGED_OUT = "/logout", "/logged-out"
_PARAMETER = re.compile(r";[^/]*")
_HIDDEN_SLASH = re.compile(r";[^/;]*%2F")
"""Behind which an upstream that decodes before it cuts parameters sees more of the path."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DOT_SEGMENT = re.compile(r"(?:/|%2F)\.\.?(?:[;/]|%2F|\Z)")
"""Also with a parameter, for Tomcat and its like read ``..;x`` as ``..``, and beside an encoded slash."""


def _ambiguous(detail: str) -> DownstreamError:
    return DownstreamError("ambiguous_target", detail)


def decode_path(raw_path: str, *, encoded_slashes: bool = False) -> str:
    """The path of an origin-form target (RFC 9112 §3.2.1), percent-decoded once, without parameters.

    :param raw_path: the target up to the first ``?``, as it came.
    :param encoded_slashes: let ``%2F`` stand, matched literally (``upstreams[].encoded_slashes: allow``).
    :raises DownstreamError: ``ambiguous_target``.
    """
    path = raw_path
    if _PLAIN.fullmatch(raw_path) is None:
        path = _decoded(raw_path, encoded_slashes=encoded_slashes)
    if "." in path and _DOT_SEGMENT.search(path):
        raise _ambiguous("dot_segment")
    if ";" in path:
        if _HIDDEN_SLASH.search(path):
            raise _ambiguous("encoded_slash")
        path = _PARAMETER.sub("", path)
    if "//" in path:
        raise _ambiguous("empty_segment")
    return path


def has_encoded_slash(raw_path: str) -> bool:
    """Whether ``%2F`` stands in ``raw_path``; ``%252F`` does not count, for decoded once it is no slash."""
    return "%2" in raw_path and _ENCODED_SLASH.search(raw_path) is not None


def _decoded(raw_path: str, *, encoded_slashes: bool) -> str:
    if not raw_path.startswith("/"):
        raise _ambiguous("not_absolute")
    if _VISIBLE.fullmatch(raw_path) is None or "#" in raw_path or "\\" in raw_path:
        raise _ambiguous("character")
    if _BAD_ESCAPE.search(raw_path):
        raise _ambiguous("bad_encoding")
    kept = _ENCODED_SLASH.sub("%252F", raw_path) if encoded_slashes else raw_path
    if _ENCODED_SLASH.search(kept):
        raise _ambiguous("encoded_slash")
    try:
        path = unquote_to_bytes(kept).decode("utf-8")
    except UnicodeDecodeError:
        raise _ambiguous("not_utf8") from None
    if "\\" in path or _CONTROL.search(path):
        raise _ambiguous("control")
    return path


def split_target(raw_target: str) -> tuple[str, str | None]:
    """Raw path and raw query (None when there is no ``?``) of an origin-form target.

    :raises DownstreamError: ``ambiguous_target`` for absolute-form, ``*``, fragments, and bytes outside visible ASCII.
    """
    raw_path, mark, query = raw_target.partition("?")
    if mark and (("#" in query) or (query and _VISIBLE.fullmatch(query) is None)):
        raise _ambiguous("query_character")
    if not raw_path.startswith("/"):
        raise _ambiguous("not_absolute")
    return raw_path, query if mark else None


def is_reserved(path: str, prefix: str) -> bool:
    """Whether ``path``, decoded once, is one of our own endpoints or may become one: it is no upstream's.

    :param prefix: of the reserved tree, ``/oauth2``.
    """
    return _under(path, prefix) or _under(path, _LOGOUT) or _under(path, _LOGGED_OUT)


def way_back(text: str, prefix: str) -> str | None:
    """``text`` if a sign-in may lead there: a local path that is the application's, else None.

    A page of ours leads there, and a browser takes what such a page asks for as the person's own wish. So it must never
    reach an endpoint that acts on one, such as ``/logout``, in whatever spelling somebody in front might read it. The
    one page of ours that people come back to is the list of their sessions, which only shows.
    """
    path = local_path(text)
    if path is None or path == f"{prefix}/sessions":
        return path
    read = path.partition("?")[0]
    while not is_reserved(_resolved(read), prefix):
        again = unquote(read)
        if again == read:
            return path
        read = again
    return None


def _resolved(path: str) -> str:
    """``path`` as the most forgiving reader takes it: without parameters, empty and dot segments."""
    return normpath("/" + _PARAMETER.sub("", path.replace("\\", "/")).lstrip("/"))


def _under(path: str, root: str) -> bool:
    return path.startswith(root) and (len(path) == len(root) or path[len(root)] == "/")


def local_path(text: str) -> str | None:
    """``text`` if it can only name a place on this origin, else None: the open-redirect guard (pains P22, P25).

    Accepted is an absolute path with optional query, in visible ASCII, that the door itself would not refuse.
    Neither browsers nor servers may find an authority in it (``//host``, ``/\\host``, tab and newline tricks).
    """
    if not text.startswith("/") or len(text) > 8_192:
        return None
    try:
        raw_path, _ = split_target(text)
        decode_path(raw_path, encoded_slashes=True)
    except DownstreamError:
        return None
    return text
