"""What goes to the provider and what comes back, as values; and the strict reading of its JSON.

Every exchange is a pair of pure functions, one that builds a `ProviderRequest` and one that parses a
`ProviderResponse`, so a test is a literal and the sending is somebody else's job.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from gateway.core.errors import ProviderError


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """One request to the provider. Headers and body may hold secrets and stay out of the repr."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class ProviderResponse:
    """One answer of the provider, complete. Header names are lower-case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


def get(url: str) -> ProviderRequest:
    """A request for one of the provider's public JSON documents."""
    return ProviderRequest("GET", url, {"accept": "application/json"})


def printable(text: str, limit: int = 200) -> str:
    """Foreign text made fit for a log line: one line, printable characters only, at most ``limit``."""
    cleaned = "".join(char if char.isprintable() else " " for char in text[:limit])
    return " ".join(cleaned.split())


def has_control(text: str) -> bool:
    """Whether ``text`` holds a control character (C0, DEL, C1) or something UTF-8 cannot carry (rule R31)."""
    return any(char < " " or "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff" for char in text)


def json_object(body: bytes | str, what: str, *, code: str = "bad_response") -> dict[str, object]:
    """The JSON object in ``body``, read strictly: UTF-8, no repeated member, no NaN or Infinity.

    A repeated member is refused because two readers may pick different ones (RFC 8725 §2.4, RFC 8259 §4).

    :param what: names the document in the error.
    :raises ProviderError: ``code``, when it is anything else.
    """
    try:
        text = body if isinstance(body, str) else body.decode("utf-8")
        parsed: object = json.loads(text, object_pairs_hook=_no_repeats, parse_constant=_no_constants)
    except (ValueError, RecursionError) as error:
        raise ProviderError(code, f"{what} is not well-formed JSON") from error
    if not isinstance(parsed, dict):
        raise ProviderError(code, f"{what} is not a JSON object")
    return parsed


def document(answer: ProviderResponse, what: str) -> dict[str, object]:
    """The JSON object of a public document (metadata, key set).

    :raises ProviderError: ``provider_error`` (retryable for 429 and 5xx) when it was not served;
        ``bad_response`` when it is not a JSON object.
    """
    if answer.status != 200:
        raise status_error(answer.status, what)
    return json_object(answer.body, what)


def status_error(status: int, what: str) -> ProviderError:
    """The error for a status that is not the one hoped for; 408, 425, 429 and 5xx are worth a retry."""
    if 300 <= status < 400:
        return ProviderError("bad_response", f"{what}: answered {status}; redirects are not followed")
    retryable = status >= 500 or status in {408, 425, 429}
    acted = status >= 500 or status == 408
    return ProviderError("provider_error", f"{what}: answered {status}", retryable=retryable, acted=acted)


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is repeated")
    return found


def _no_constants(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
