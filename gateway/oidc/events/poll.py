"""Fetching security events from a transmitter (RFC 8936): the question, which acknowledges what was done, and the
answer, which has what is new.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.core.errors import ProviderError
from gateway.oidc.events.security_event import Refusal
from gateway.oidc.wire import ProviderRequest, ProviderResponse, json_object, status_error

AT_ONCE: Final = 50
"""Tokens asked for in one answer."""
MAX_SETS: Final = 500
"""Tokens that are taken from one answer, whatever was asked for."""


@dataclass(frozen=True, slots=True)
class Polled:
    """What came.

    :ivar tokens: by the transmitter's own ids of them. :ivar more: there are more to be had at once.
    """

    tokens: Mapping[str, str] = field(repr=False)
    more: bool


def poll_request(
    endpoint: str,
    token: str,
    *,
    done: Sequence[str] = (),
    refused: Mapping[str, Refusal] | None = None,
    wait: bool,
) -> ProviderRequest:
    """The question.

    :param done: ids of the tokens that need not come again. :param refused: ids of those that never can be taken.
    :param wait: the transmitter may hold the answer back until there is something (§2.4).
    """
    asked: dict[str, object] = {"maxEvents": AT_ONCE, "returnImmediately": not wait, "ack": list(done)}
    headers = {
        "accept": "application/json",
        "content-type": "application/json",
        "authorization": f"Bearer {token}",
    }
    if refused:
        asked["setErrs"] = {
            name: {"err": why.code, "description": why.description} for name, why in refused.items()
        }
        headers["content-language"] = "en"
    return ProviderRequest("POST", endpoint, headers, json.dumps(asked).encode())


def parse_poll(answer: ProviderResponse) -> Polled:
    """The tokens in ``answer``.

    :raises ProviderError: ``bad_response``; ``provider_error``, which is retryable for 429 and 5xx.
    """
    if answer.status != 200:
        raise status_error(answer.status, "the transmitter")
    found = json_object(answer.body, "the transmitter's answer")
    sets = found.get("sets", {})
    if not isinstance(sets, dict) or len(sets) > MAX_SETS:
        raise ProviderError("bad_response", "the transmitter's answer has no sets, or too many")
    # What is no text at all is no token either, and is refused as one.
    tokens = {name: token if isinstance(token, str) else "" for name, token in sets.items()}
    return Polled(tokens, found.get("moreAvailable") is True)
