"""What no log line may hold: secrets, tokens, cookies, and the values of query parameters (rule R34).

Two nets, because neither is enough alone: values under a telling name are dropped whatever they are, and
text is searched for the shapes that secrets have, because exceptions and third parties put them into
sentences.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from gateway.core.memo import Memo

DROPPED: Final = "[redacted]"
LONGEST: Final = 16_384
"""Characters of a text that are logged."""

_TELLING: Final = re.compile(
    r"""(^|_)(
        authorization | cookies? | secrets? | passwords? | passwd | tokens? | jwt | assertion | hint | nonce
        | verifier | challenge | credentials? | saml_?response | saml_?request | relay_?state | api_?key |
        private_?key | session_key | query | query_string | form | body )$ | ^(code | state | sid |
        key)$""",
    re.VERBOSE,
)
_PARAMETER: Final = re.compile(r"""([?&;\#][^\s=&;\#"'<>?]*)=[^\s&;\#"'<>]*""")
_CREDENTIALS: Final = re.compile(r"\b(bearer|basic|dpop)\s+[\w.~+/=-]{6,}", re.IGNORECASE)
_SCHEME_ALONE: Final = r"\1 " + DROPPED
_JWT: Final = re.compile(r"(?<![\w-])((?:(?!eyJ)[\w-])*+)eyJ[\w-]++\.[\w-]++(?:\.[\w-]*+){0,3}")
_COOKIE: Final = re.compile(
    r"(?<![\w-])((?:(?!__(?:Host|Secure)-)[\w-])*+__(?:Host|Secure)-[\w-]++)=[^\s;,\"']+"
)
"""These two begin where a word does: from the middle of one each try would go on to its end, again and again."""
_AUTHORITY: Final = re.compile(r"://[^\s/@:]+:[^\s/@]+@")


_LONG: Final = re.compile(r"[A-Za-z0-9_-]{22,}")
"""22 characters of base64url hold 128 bits, the least that anybody would call a token."""
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_CHANGE: Final = re.compile(r"(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[a-z0-9]|(?<=[0-9])[A-Za-z]")


class Published(str):
    """A text that looks like a secret and is made for everybody to read: a signed receipt."""

    __slots__ = ()


def scrub(text: str) -> str:
    """The text without query values, tokens, credentials and cookie values; their names stay."""
    if len(text) > LONGEST:
        text = _shortened(text)
    if "=" in text:
        text = _COOKIE.sub(r"\1=" + DROPPED, text)
        text = _PARAMETER.sub(r"\1", text)
    if "eyJ" in text:
        text = _JWT.sub(r"\1" + DROPPED, text)
    if "@" in text:
        text = _AUTHORITY.sub(f"://{DROPPED}@", text)
    if len(text.split(None, 1)) == 2:  # there is white space in it
        text = _CREDENTIALS.sub(_SCHEME_ALONE, text)
    return text


def _shortened(text: str) -> str:
    """Both its ends. What the cut goes through goes too, and the word behind it: half a secret is not known for one,
    nor is one whose `Bearer` is missing.
    """
    half = LONGEST // 2 - 4
    tail = _CREDENTIALS.sub(_SCHEME_ALONE, text[-half:])
    return " ".join((*text[:half].rsplit(None, 1)[:-1], "[...]", *tail.split(None, 2)[2:]))


def without_tokens(path: str) -> str:
    """The path of a request without what looks like a token in it: an invitation, a link to set a password, a JWT.

    Long runs that change between capitals, small letters and digits as chance does, which words joined by dashes do
    not. A UUID stays, because it is how applications number things.
    """
    if "eyJ" in path:
        path = _JWT.sub(r"\1" + DROPPED, path)
    return _LONG.sub(_unless_words, path)


def _unless_words(found: re.Match[str]) -> str:
    start = found[0][:64]  # as much as tells the two apart: the rest may be 32 KiB long
    if _UUID.fullmatch(start):
        return found[0]
    return DROPPED if len(_CHANGE.findall(start)) * 5 >= len(start) else found[0]


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: every field of a line, at every depth, without what may not be logged."""
    for name, value in event.items():
        event[name] = _clean(name, value)
    return event


def telling(name: str) -> bool:
    """Is a value under this name a secret, whatever it is?"""
    return _secret_names[name]


def _tells(name: str) -> bool:
    return _TELLING.search(name.lower().replace("-", "_")) is not None


_secret_names = Memo(_tells, entries=512, size=256 * 1024)


def _clean(name: str, value: object) -> object:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if telling(name):
        return DROPPED
    if isinstance(value, Published):
        return value
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {str(key): _clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean("", inner) for inner in value]
    return scrub(value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value))
