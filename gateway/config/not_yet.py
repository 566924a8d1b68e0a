"""Keys whose feature is not in this version: refused, never ignored.

Whoever writes ``inbound.backchannel: true`` believes that Okta can end sessions here. A gateway that started all the
same would be a lie, so it does not start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gateway.config.findings import KeyPath
from gateway.config.names import HOPS
from gateway.config.yaml_tree import Value

_HOPS_NOW = frozenset({"cognito", "okta_signout"})


@dataclass(frozen=True, slots=True)
class NotYet:
    """One key that is known and refused.

    :ivar asks: whether a value asks for the feature; its absence or "off" does not.
    :ivar feature: reads on before "is not available in this version".
    """

    key: str
    asks: Callable[[Value], bool]
    feature: str
    mend: str = "remove the key"


def _is(*choices: str) -> Callable[[Value], bool]:
    return lambda value: value in choices


def _on(value: Value) -> bool:
    return value not in (None, "false", [], {})


def _begins(start: str) -> Callable[[Value], bool]:
    return lambda value: isinstance(value, str) and value.startswith(start)


def _later_hop(value: Value) -> bool:
    kind = next(iter(value), None) if isinstance(value, dict) else value
    return kind in HOPS and kind not in _HOPS_NOW


NOT_YET = (
    NotYet(
        "provider.kind",
        _is("keycloak", "entra", "auth0", "google"),
        "a profile of this provider",
        "write `oidc`, which signs in at any OpenID Connect provider",
    ),
    NotYet("session.store", _is("ticket"), "keeping sessions in Redis", "write `cookie`, or remove the key"),
    NotYet(
        "session.activity",
        _is("input"),
        "counting the user's own input",
        "write `requests`, or remove the key",
    ),
    NotYet(
        "state",
        _begins("redis"),
        "a revocation log in Redis",
        "write sqlite:///absolute/path, and run one host",
    ),
    NotYet("headers.authorization", _on, "sending the access token to upstreams"),
    NotYet("logout.chain[]", _later_hop, "this hop", "leave it out; cognito and okta_signout are available"),
    NotYet(
        "logout.scope",
        _is("user"),
        "ending all sessions of a user at sign-out",
        "write `session`, or remove the key",
    ),
    NotYet(
        "logout.cross_site", _is("allow"), "sign-out by another site without a question", "write `confirm`"
    ),
    NotYet("logout.expire_cookies", _on, "expiring a predecessor's cookies"),
    NotYet("logout.receipt_key_file", _on, "a signed receipt of each sign-out"),
    NotYet("inbound.backchannel", _on, "OpenID Connect back-channel logout"),
    NotYet("inbound.frontchannel", _on, "OpenID Connect front-channel logout"),
    NotYet("inbound.universal_logout", _on, "Okta Universal Logout"),
    NotYet("inbound.security_events", _on, "receiving shared security events"),
    NotYet("inbound.okta_event_hook", _on, "the Okta event hook"),
    NotYet(
        "forward_auth.caller",
        _is("traefik", "caddy", "envoy", "haproxy"),
        "answering for this proxy",
        "write `nginx`, or let the gateway forward the requests itself",
    ),
    NotYet("browser.inject_tab_script", _on, "the script that makes open tabs leave"),
    NotYet("browser.clear_storage", _on, "clearing the application's storage"),
    NotYet("browser.spa_has_own_tokens", _on, "signing out an application with tokens of its own"),
)


def refused(values: Mapping[str, Value]) -> Iterator[tuple[KeyPath, NotYet]]:
    """The keys in ``values`` that ask for what is not there yet."""
    for entry in NOT_YET:
        for path, value in _at(values, tuple(entry.key.replace("[]", ".[]").split(".")), ()):
            if entry.asks(value):
                yield path, entry


def _at(
    value: Value | Mapping[str, Value], way: tuple[str, ...], path: KeyPath
) -> Iterator[tuple[KeyPath, Value]]:
    if not way:
        yield path, value  # type: ignore[misc]
    elif way[0] == "[]" and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _at(item, way[1:], (*path, index))
    elif isinstance(value, dict) and way[0] in value:
        yield from _at(value[way[0]], way[1:], (*path, way[0]))
