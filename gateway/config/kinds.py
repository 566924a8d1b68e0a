"""The types of configuration values: each is its parser and its JSON schema.

A ``title`` is the word for the type in ``docs/configuration.md``; patterns help editors that complete from the
schema. A parser raises :class:`~gateway.config.findings.BadValueError`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator, SecretStr, ValidationInfo, WithJsonSchema

from gateway.config import addresses, names, state_urls, units
from gateway.config.findings import BadValueError
from gateway.oidc.providers.descriptor import HopKind
from gateway.oidc.providers.registry import HOPS, PROVIDERS

_DURATION = {
    "type": "string",
    "title": "duration",
    "pattern": r"^\d+(ms|s|m|h|d)$",
    "examples": ["30s", "12h"],
}


def _base(info: ValidationInfo) -> Path:
    """The directory that relative paths count from: the configuration file's."""
    return info.context["base"] if info.context else Path.cwd()


def _path(value: object, info: ValidationInfo) -> Path:
    return addresses.parse_path(value, _base(info))


def _upstream(value: object, info: ValidationInfo) -> addresses.UpstreamUrl:
    return addresses.parse_upstream(value, _base(info))


def _policies(value: object, info: ValidationInfo) -> str:
    text = names.parse_word(value)
    return text if text.startswith("builtin:") else str(_base(info) / text)


def _secret(value: object) -> SecretStr:
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str) or not value or not value.isprintable():
        raise BadValueError(
            "is empty or holds control characters", "write the secret on one line, or use the _file key"
        )
    return SecretStr(value)


def _text(parse: Callable[..., Any], title: str, **schema: object) -> tuple[Any, Any]:
    return PlainValidator(parse), WithJsonSchema({"type": "string", "title": title, **schema})


Lifetime = Annotated[float, PlainValidator(units.parse_lifetime), WithJsonSchema(_DURATION)]
Seconds = Annotated[float, PlainValidator(units.parse_seconds), WithJsonSchema(_DURATION)]
Size = Annotated[
    int,
    PlainValidator(units.parse_size),
    WithJsonSchema(
        {"type": ["integer", "string"], "title": "size", "pattern": r"^\d+(B|KiB|MiB|GiB)?$", "minimum": 0}
    ),
]
Room = Annotated[
    int,
    PlainValidator(units.parse_room),
    WithJsonSchema(
        {
            "type": ["integer", "string"],
            "title": "size",
            "pattern": r"^\d+(B|KiB|MiB|GiB)?$",
            "minimum": units.LEAST_ROOM,
        }
    ),
]
Count = Annotated[
    int,
    PlainValidator(units.parse_count),
    WithJsonSchema({"type": "integer", "title": "number", "minimum": 0}),
]
Flag = Annotated[bool, BeforeValidator(units.parse_flag)]
Address = Annotated[
    addresses.ListenAddress, *_text(addresses.parse_address, "address:port", examples=["0.0.0.0:8080"])
]
PublicUrl = Annotated[addresses.Origin, *_text(addresses.parse_origin, "https origin")]
Origin = Annotated[addresses.Origin, *_text(addresses.parse_any_origin, "origin")]
Upstream = Annotated[
    addresses.UpstreamUrl,
    *_text(_upstream, "http, https, unix or file URL", pattern="^(https?|unix|file):"),
]
State = Annotated[
    state_urls.SqliteUrl | state_urls.RedisUrl, *_text(state_urls.parse_state, "sqlite or redis URL")
]
RedisPrefix = Annotated[str, *_text(state_urls.parse_prefix, "text")]
File = Annotated[Path, *_text(_path, "file")]
Policies = Annotated[str, *_text(_policies, "builtin:name or directory")]
Secret = Annotated[SecretStr, *_text(_secret, "secret", writeOnly=True)]
Host = Annotated[str, *_text(names.parse_host, "host name")]
HostName = Annotated[str, *_text(names.parse_host_name, "host name")]
Prefix = Annotated[str, *_text(names.parse_prefix, "path")]
RoutePath = Annotated[str, *_text(names.parse_route_path, "path", pattern="^/")]
Issuer = Annotated[str, *_text(names.parse_issuer, "URL")]
Network = Annotated[names.Network, *_text(names.parse_network, "CIDR")]
Ip = Annotated[str, *_text(names.parse_ip, "IP address")]
Word = Annotated[str, *_text(names.parse_word, "text")]
Scope = Annotated[str, *_text(names.parse_scope, "scope")]
ClaimHeader = Annotated[str, *_text(names.parse_claim_header, "header")]
ReservedHeader = Annotated[str, *_text(names.parse_reserved_header, "header")]
CookieName = Annotated[str, *_text(names.parse_cookie_name, "cookie name")]
SiteData = Annotated[str, *_text(names.parse_site_data, "directive", enum=list(names.SITE_DATA))]
TargetName = Annotated[str, *_text(names.parse_target_name, "name")]
Target = Annotated[str, *_text(names.parse_target, "URL or path")]
ProviderKind = Annotated[
    str, PlainValidator(names.parse_provider_kind), WithJsonSchema({"enum": list(PROVIDERS)})
]


def _behind(hop: HopKind) -> dict[str, object]:
    inner = {"type": "string"} if hop.example else {"enum": list(hop.choices)}
    one = {"type": "object", "additionalProperties": False}
    return {**one, "required": [hop.name], "properties": {hop.name: inner}}


Hop = Annotated[
    names.ConfiguredHop,
    PlainValidator(names.parse_hop),
    WithJsonSchema(
        {
            "title": "hop",
            "anyOf": [
                {"enum": [hop.name for hop in HOPS.values() if not hop.example]},
                *(_behind(hop) for hop in HOPS.values() if hop.example or hop.choices),
            ],
        }
    ),
]
