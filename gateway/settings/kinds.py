"""What a key is, and the types of values: each is its parser and its JSON schema.

A ``title`` is the word for the type in ``docs/configuration.md``; patterns help editors that complete from the
schema. A parser raises :class:`~gateway.settings.bad_value.BadValueError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from gateway.oidc.providers.descriptor import HopKind
from gateway.oidc.providers.registry import HOPS, PROVIDERS
from gateway.oidc.signin.groups import SHAPES
from gateway.settings import addresses, names, proxies, secret_files, state_urls, units

REQUIRED: Final = object()
"""Stands where a key has no default."""


def key(default: Any = REQUIRED, *, description: str) -> Any:
    """A key; without a default it is required. The default is written as an operator would write it."""
    return field(metadata={"default": default, "description": description})


@dataclass(frozen=True, slots=True, eq=False)
class ValueKind:
    """Stands in the annotation of a key.

    :ivar parse: makes the value of what is written, and of the directory that relative paths count from.
    """

    parse: Callable[[object, Path], Any]
    schema: Mapping[str, Any]


def _located(parse: Callable[[object, Path], Any], title: str, **schema: object) -> ValueKind:
    return ValueKind(parse, {"type": "string", "title": title, **schema})


def _kind(parse: Callable[[object], Any], title: str, **schema: object) -> ValueKind:
    return _located(lambda value, _base: parse(value), title, **schema)


_DURATION = {"pattern": r"^\d+(ms|s|m|h|d)$", "examples": ["30s", "12h"]}
_SIZE = {"type": ["integer", "string"], "pattern": r"^\d+(B|KiB|MiB|GiB)?$"}


Lifetime = Annotated[float, _kind(units.parse_lifetime, "duration", **_DURATION)]
Duration = Annotated[float, _kind(units.parse_duration, "duration", **_DURATION)]
Patience = Annotated[float, _kind(units.parse_patience, "duration", **_DURATION)]
Seconds = Annotated[float, _kind(units.parse_seconds, "duration", **_DURATION)]
Size = Annotated[int, _kind(units.parse_size, "size", minimum=0, **_SIZE)]
Room = Annotated[int, _kind(units.parse_room, "size", minimum=units.LEAST_ROOM, **_SIZE)]
Count = Annotated[int, _kind(units.parse_count, "number", type="integer", minimum=0)]
Number = Annotated[int, _kind(units.parse_number, "number", type="integer", minimum=1)]
Flag = Annotated[bool, ValueKind(lambda value, _base: units.parse_flag(value), {"type": "boolean"})]
Address = Annotated[
    addresses.ListenAddress, _kind(addresses.parse_address, "address:port", examples=["0.0.0.0:8080"])
]
PublicUrl = Annotated[addresses.Origin, _kind(addresses.parse_origin, "https origin")]
Origin = Annotated[addresses.Origin, _kind(addresses.parse_any_origin, "origin")]
Proxy = Annotated[proxies.ProxyUrl, _kind(proxies.parse_proxy, "http URL or none")]
Upstream = Annotated[
    addresses.UpstreamUrl,
    _located(addresses.parse_upstream, "http, https, unix or file URL", pattern="^(https?|unix|file):"),
]
State = Annotated[
    state_urls.SqliteUrl | state_urls.RedisUrl, _kind(state_urls.parse_state, "sqlite or redis URL")
]
RedisPrefix = Annotated[str, _kind(state_urls.parse_prefix, "text")]
File = Annotated[Path, _located(addresses.parse_path, "file")]
Policies = Annotated[str, _located(names.parse_policies, "builtin:name or directory")]
Secret = Annotated[secret_files.Secret, _kind(secret_files.parse_secret, "secret", writeOnly=True)]
Host = Annotated[str, _kind(names.parse_host, "host name")]
HostName = Annotated[str, _kind(names.parse_host_name, "host name")]
Prefix = Annotated[str, _kind(names.parse_prefix, "path")]
RoutePath = Annotated[str, _kind(names.parse_route_path, "path", pattern="^/")]
Issuer = Annotated[str, _kind(names.parse_issuer, "URL")]
Network = Annotated[names.Network, _kind(names.parse_network, "CIDR")]
Ip = Annotated[str, _kind(names.parse_ip, "IP address")]
Word = Annotated[str, _kind(names.parse_word, "text")]
Scope = Annotated[str, _kind(names.parse_scope, "scope")]
GroupsClaim = Annotated[
    names.GroupsClaim,
    ValueKind(
        lambda value, _base: names.parse_groups_claim(value),
        {
            "title": "claim",
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "required": ["claim"],
                    "properties": {"claim": {"type": "string"}, "shape": {"enum": list(SHAPES)}},
                    "additionalProperties": False,
                },
            ],
        },
    ),
]
ClaimHeader = Annotated[str, _kind(names.parse_claim_header, "header")]
ReservedHeader = Annotated[str, _kind(names.parse_reserved_header, "header")]
CookieName = Annotated[str, _kind(names.parse_cookie_name, "cookie name")]
CookieSuffix = Annotated[str, _kind(names.parse_cookie_suffix, "text", pattern="^[-_]*[a-z0-9]{1,16}$")]
SiteData = Annotated[str, _kind(names.parse_site_data, "directive", enum=list(names.SITE_DATA))]
TargetName = Annotated[str, _kind(names.parse_target_name, "name")]
Target = Annotated[str, _kind(names.parse_target, "URL or path")]
ProviderKind = Annotated[
    str, ValueKind(lambda value, _base: names.parse_provider_kind(value), {"enum": list(PROVIDERS)})
]


def _behind(hop: HopKind) -> Mapping[str, object]:
    inner = {"type": "string"} if hop.example else {"enum": list(hop.choices)}
    one = {"type": "object", "additionalProperties": False}
    return {**one, "required": [hop.name], "properties": {hop.name: inner}}


Hop = Annotated[
    names.ConfiguredHop,
    ValueKind(
        lambda value, _base: names.parse_hop(value),
        {
            "title": "hop",
            "anyOf": [
                {"enum": [hop.name for hop in HOPS.values() if not hop.example]},
                *(_behind(hop) for hop in HOPS.values() if hop.example or hop.choices),
            ],
        },
    ),
]
