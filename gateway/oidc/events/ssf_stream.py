"""The stream by which a transmitter sends us its events, and how we set it up there (SSF 1.0 §7 and §8).

Okta's API is a draft of it: it wants to be told the form of subjects, which SSF 1.0 leaves to the transmitter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gateway.core.errors import ConfigurationError, ProviderError
from gateway.oidc.urls import fault_of, with_query
from gateway.oidc.wire import ProviderRequest, ProviderResponse, document, get, json_object, printable

PUSH: Final = "urn:ietf:rfc:8935"
POLL: Final = "urn:ietf:rfc:8936"
WELL_KNOWN: Final = "/.well-known/ssf-configuration"
_FINAL: Final = "1_0"
_HIDDEN: Final = "authorization_header"


@dataclass(frozen=True, slots=True)
class StreamEndpoints:
    """What of a transmitter's metadata is used.

    :ivar status: None where it has none; the same with ``verification``.
    :ivar draft: it speaks a draft of SSF 1.0, or does not say.
    """

    configuration: str
    status: str | None
    verification: str | None
    draft: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """The stream to be made.

    :ivar push_to: our endpoint; None to fetch the events. :ivar secret: what pushes carry in ``Authorization``.
    """

    events: Sequence[str]
    push_to: str | None
    secret: str | None = None


def stream_metadata_request(issuer: str) -> ProviderRequest:
    """The request for the metadata of ``issuer``: the well-known path goes before its own (SSF 1.0 §7.2).

    :raises ConfigurationError: it is no URL that can have metadata.
    """
    fault = fault_of(issuer)
    if fault:
        raise ConfigurationError("bad_issuer", f"inbound.security_events.issuer {fault}", fix="correct it")
    parts = urlsplit(issuer)
    return get(f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.rstrip('/')}")


def parse_stream_metadata(answer: ProviderResponse, *, issuer: str) -> StreamEndpoints:
    """The endpoints in ``answer``; https, or plain http on loopback names when the issuer is such itself.

    :raises ProviderError: ``issuer_mismatch``, ``bad_response``, ``provider_error``.
    """
    found = document(answer, "the transmitter's metadata")
    if found.get("issuer") != issuer:
        raise ProviderError(
            "issuer_mismatch",
            f"the metadata is of issuer {printable(str(found.get('issuer')))}",
            fix="set inbound.security_events.issuer to exactly that, if it is the transmitter you mean",
        )
    local = urlsplit(issuer).scheme == "http"
    configuration = _endpoint(found, "configuration_endpoint", local)
    if configuration is None:
        raise ProviderError("bad_response", "the transmitter's metadata has no configuration_endpoint")
    return StreamEndpoints(
        configuration=configuration,
        status=_endpoint(found, "status_endpoint", local),
        verification=_endpoint(found, "verification_endpoint", local),
        draft=found.get("spec_version") != _FINAL,
    )


def create_request(endpoints: StreamEndpoints, wanted: Wanted, token: str) -> ProviderRequest:
    """Make the stream."""
    delivery: dict[str, object] = {"method": POLL}
    if wanted.push_to is not None:
        delivery = {"method": PUSH, "endpoint_url": wanted.push_to}
        if wanted.secret is not None:
            delivery[_HIDDEN] = wanted.secret
    asked: dict[str, object] = {"events_requested": list(wanted.events), "delivery": delivery}
    if endpoints.draft:
        asked["format"] = "iss_sub"
    return _with_body("POST", endpoints.configuration, token, asked)


def show_request(address: str, token: str, stream_id: str | None) -> ProviderRequest:
    """Read a stream, or its status; the only one there is where none is named."""
    return ProviderRequest("GET", _named(address, stream_id), _headers(token))


def delete_request(endpoints: StreamEndpoints, token: str, stream_id: str | None) -> ProviderRequest:
    """End the stream."""
    return ProviderRequest("DELETE", _named(endpoints.configuration, stream_id), _headers(token))


def verify_request(address: str, token: str, stream_id: str, state: str) -> ProviderRequest:
    """Ask for a verification event with this ``state`` in it."""
    return _with_body("POST", address, token, {"stream_id": stream_id, "state": state})


def parse_stream(answer: ProviderResponse) -> Mapping[str, object]:
    """What the transmitter tells of a stream, without the secret that it may repeat.

    :raises ProviderError: see `check_done`; ``bad_response``.
    """
    check_done(answer)
    stream = json_object(answer.body, "the transmitter's answer")
    delivery = stream.get("delivery")
    if isinstance(delivery, dict) and _HIDDEN in delivery:
        stream["delivery"] = {**delivery, _HIDDEN: "(not shown)"}
    return stream


def check_done(answer: ProviderResponse) -> None:
    """Whether the transmitter did what it was asked for.

    :raises ProviderError: ``provider_error`` with what its status means.
    """
    if 200 <= answer.status < 300:
        return
    why = {
        401: "the token is not good there",
        403: "the token may not do that",
        404: "there is no such stream",
        409: "there is a stream already; delete it first",
        429: "asked too often; try again later",
    }.get(answer.status, "it did not say why in a way that we know")
    raise ProviderError("provider_error", f"the transmitter answered {answer.status}: {why}")


def _endpoint(found: Mapping[str, object], name: str, local: bool) -> str | None:
    url = found.get(name)
    if url is None:
        return None
    fault = fault_of(url, http_on_loopback=local) if isinstance(url, str) else "is not a string"
    if fault or not isinstance(url, str):
        raise ProviderError("bad_response", f"{name} in the transmitter's metadata {fault}")
    return url


def _named(address: str, stream_id: str | None) -> str:
    return address if stream_id is None else with_query(address, [("stream_id", stream_id)])


def _headers(token: str) -> dict[str, str]:
    return {"accept": "application/json", "authorization": f"Bearer {token}"}


def _with_body(method: str, address: str, token: str, asked: Mapping[str, object]) -> ProviderRequest:
    headers = {**_headers(token), "content-type": "application/json"}
    return ProviderRequest(method, address, headers, json.dumps(asked).encode())
