"""The token and revocation endpoints (RFC 6749 §4.1.3 and §6, RFC 7009): build and parse."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import quote_plus

from gateway.core.errors import ProviderError
from gateway.oidc.signin.authorization import AuthorizationCode
from gateway.oidc.urls import form
from gateway.oidc.wire import ProviderRequest, ProviderResponse, json_object, printable, status_error

_NO_CLIENT = {"unauthorized_client", "access_denied"}
"""What Keycloak (once) and Auth0 call a wrong secret. A 401 is about the client alone (RFC 6749 §5.2)."""
MAX_LIFETIME = 10 * 365 * 86_400  # seconds; Cognito's longest token lives so long


class ClientAuthentication(Enum):
    """How the gateway proves itself to the token endpoint (OpenID Connect Core §9)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"

    @classmethod
    def chosen(cls, configured: str | None, offered: Sequence[str]) -> ClientAuthentication:
        """The configured one; else the first of ours among ``offered`` by the metadata, and the header where it offers
        none of them or does not say (OpenID Connect Discovery §3).
        """
        return cls(configured or next((each.value for each in cls if each.value in offered), cls.BASIC.value))


@dataclass(frozen=True, slots=True)
class Client:
    """The gateway as the provider knows it. Without a secret it is a public client."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    authentication: ClientAuthentication = ClientAuthentication.BASIC


@dataclass(frozen=True, slots=True)
class TokenSet:
    """What the token endpoint gave. Nothing of it is in the repr.

    :ivar id_token: not yet verified; always there after a code, often not after a refresh.
    :ivar refresh_token: None when the provider gave none: after a refresh the old one then stays good.
    :ivar expires_in: seconds the access token lives, if the provider says.
    """

    access_token: str = field(repr=False)
    id_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int | None


def code_request(
    endpoint: str, client: Client, code: AuthorizationCode, *, code_verifier: str, redirect_uri: str
) -> ProviderRequest:
    """Redeem ``code`` (RFC 6749 §4.1.3, RFC 7636 §4.5); ``redirect_uri`` as in the authorization request."""
    return _authenticated(
        endpoint,
        client,
        [
            ("grant_type", "authorization_code"),
            ("code", code.value),
            ("redirect_uri", redirect_uri),
            ("code_verifier", code_verifier),
        ],
    )


def impossible_code_request(endpoint: str, client: Client, *, redirect_uri: str) -> ProviderRequest:
    """Redeem a code that nobody was ever given: whoever takes the client for itself answers ``invalid_grant``, whoever
    does not ``invalid_client`` (RFC 6749 §5.2).
    """
    fields = [
        ("code", "gateway-doctor"),
        ("redirect_uri", redirect_uri),
        ("code_verifier", "gateway-doctor" * 4),
    ]
    return _authenticated(endpoint, client, [("grant_type", "authorization_code"), *fields])


def refresh_request(endpoint: str, client: Client, refresh_token: str) -> ProviderRequest:
    """Ask for fresh tokens (RFC 6749 §6)."""
    return _authenticated(
        endpoint, client, [("grant_type", "refresh_token"), ("refresh_token", refresh_token)]
    )


def revocation_request(endpoint: str, client: Client, refresh_token: str) -> ProviderRequest:
    """Revoke ``refresh_token`` and its children (RFC 7009 §2.1). No type hint: Cognito documents none."""
    return _authenticated(endpoint, client, [("token", refresh_token)])


def parse_tokens(answer: ProviderResponse, *, id_token_required: bool) -> TokenSet:
    """The tokens in ``answer``.

    :param id_token_required: true for a code, where the scope holds ``openid``.
    :raises ProviderError: ``invalid_grant`` (the code is spent, the refresh token dead), ``invalid_client``,
        ``provider_error`` (retryable for 429 and 5xx whatever the body says), ``bad_response``.
    """
    if answer.status != 200:
        raise _error(answer, "token endpoint")
    found = json_object(answer.body, "the token answer")
    if str(found.get("token_type", "")).lower() != "bearer":
        raise ProviderError("bad_response", "the token answer is not of token_type Bearer")
    access_token, id_token = _text(found, "access_token"), _text(found, "id_token")
    if access_token is None:
        raise ProviderError("bad_response", "the token answer has no access_token")
    if id_token is None and id_token_required:
        raise ProviderError(
            "bad_response",
            "the token answer has no id_token",
            fix="put openid in provider.scopes and allow it for this client",
        )
    return TokenSet(access_token, id_token, _text(found, "refresh_token"), _lifetime(found.get("expires_in")))


def check_revocation(answer: ProviderResponse) -> None:
    """Return when the provider says the token is dead: 200, also for a token it never knew (RFC 7009 §2.2).

    :raises ProviderError: anything else; 503 means that the token must be taken to be alive.
    """
    if answer.status != 200:
        raise _error(answer, "revocation endpoint")


def _authenticated(endpoint: str, client: Client, parameters: list[tuple[str, str]]) -> ProviderRequest:
    headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
    if client.secret is not None and client.authentication is ClientAuthentication.BASIC:
        # RFC 6749 §2.3.1: each half form-encoded before they are joined.
        pair = f"{quote_plus(client.client_id)}:{quote_plus(client.secret)}"
        headers["authorization"] = "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")
    else:
        parameters = [*parameters, ("client_id", client.client_id)]
        if client.secret is not None:
            parameters.append(("client_secret", client.secret))
    return ProviderRequest("POST", endpoint, headers, form(parameters))


def _error(answer: ProviderResponse, what: str) -> ProviderError:
    """The error of RFC 6749 §5.2. A status that asks for patience outranks what the body says."""
    by_status = status_error(answer.status, what)
    if by_status.retryable or answer.status not in {400, 401, 403}:
        return by_status
    try:
        found = json_object(answer.body, what)
    except ProviderError:
        found = {"error": "invalid_client"} if answer.status == 401 else {}
    named = found.get("error")
    if not isinstance(named, str):
        return by_status
    error_text = printable(
        f"{named}: {found['error_description']}" if "error_description" in found else named
    )
    detail = f"{what}: answered {answer.status} {error_text}"
    if named == "invalid_grant":
        return ProviderError("invalid_grant", detail, acted=False)
    if named == "invalid_client" or (answer.status == 401 and named in _NO_CLIENT):
        return ProviderError(
            "invalid_client",
            detail,
            fix="compare provider.client_id and client_secret with the provider's, and client_authentication with how"
            " the client is registered there to prove itself",
            acted=False,
        )
    retryable = named in {"temporarily_unavailable", "server_error", "slow_down"}
    return ProviderError("provider_error", detail, retryable=retryable, acted=named == "server_error")


def _text(found: dict[str, object], name: str) -> str | None:
    value = found.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise ProviderError("bad_response", f"{name} in the token answer is not a token")
    return value


def _lifetime(value: object) -> int | None:
    """Seconds; some providers write the number as a string."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return min(value, MAX_LIFETIME)
