"""Names and paths: hosts, prefixes, headers, claims, networks, logout hops and targets."""

from __future__ import annotations

import ipaddress
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.core.http.own_cookies import is_own_cookie
from gateway.oidc.providers.registry import HOPS, PROVIDERS
from gateway.oidc.signin.groups import SHAPES
from gateway.oidc.signout.logout import PLACEHOLDERS, placeholders
from gateway.settings.addresses import is_host, parse_any_origin, split_url
from gateway.settings.bad_value import BadValueError, quoted

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)  # RFC 9110 §5.6.2
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_TARGET_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_NOT_FOR_CLAIMS = re.compile(
    "(x-forwarded|x-auth-request|sec|proxy)-.*|authorization|connection|content-(encoding|length|type)|cookie|expect"
    "|forwarded|host|keep-alive|origin|referer|set-cookie|te|trailer|transfer-encoding|upgrade|via"
)
_NEEDED = {"host", "cookie", "content-length", "content-type", "transfer-encoding", "connection", "accept"}
SITE_DATA = ("cache", "storage", "executionContexts", "clientHints", "prefetchCache", "prerenderCache")


@dataclass(frozen=True, slots=True)
class ConfiguredHop:
    """One station of the logout chain.

    :ivar kind: also its name in ``/logout/done/<kind>``.
    :ivar behind: what stands behind it: the address it needs, one of the choices it has, or nothing.
    """

    kind: str
    behind: str = ""

    @property
    def url(self) -> str:
        """Its address, or the template of one; empty where the provider's own is meant."""
        return self.behind if HOPS[self.kind].example else ""

    def __str__(self) -> str:
        return f"{{{self.kind}: {self.behind}}}" if self.behind else self.kind


USUAL_GROUPS = "cognito:groups"
"""Cognito's own groups, always a list."""


@dataclass(frozen=True, slots=True)
class GroupsClaim:
    """The claim with a person's groups.

    :ivar shape: one of `SHAPES`; empty where nobody said.
    """

    claim: str
    shape: str = ""

    def __str__(self) -> str:
        return self.claim


def parse_groups_claim(value: object) -> GroupsClaim:
    """``groups``, or ``{claim: custom:groups, shape: brackets}``, which a variable has as JSON."""
    if isinstance(value, str) and value.startswith("{"):
        with suppress(ValueError):
            value = json.loads(value)
    if not isinstance(value, dict):
        return GroupsClaim(parse_word(value))
    fix = f"write {{claim: groups, shape: …}}, with a shape of {', '.join(SHAPES)}"
    if "claim" not in value or not value.keys() <= {"claim", "shape"}:
        raise BadValueError("is not a claim with a shape", fix)
    if value.get("shape") not in (*SHAPES, None):
        raise BadValueError(f"{quoted(value['shape'])} is no shape of a claim", fix)
    return GroupsClaim(parse_word(value["claim"]), str(value.get("shape") or ""))


def parse_host(value: object) -> str:
    """A ``Host`` header that is ours: a name, with a port where it is not the default."""
    fix = "write a host name such as www.example.com, with a port only where browsers send one"
    if not isinstance(value, str) or "/" in value:
        raise BadValueError(f"{quoted(value)} is not a host name", fix)
    name, colon, port = value.lower().rpartition(":") if not value.endswith("]") else (value.lower(), "", "")
    name = name if colon else value.lower()
    if not is_host(name.strip("[]")) or (
        colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)
    ):
        raise BadValueError(f"{quoted(value)} is not a host name", fix)
    return value.lower()


def parse_host_name(value: object) -> str:
    """A host name or address without a port."""
    name = parse_host(value)
    if not is_host(name.strip("[]")):
        raise BadValueError(f"{quoted(value)} has a port", "leave the port out")
    return name


def parse_prefix(value: object) -> str:
    """Where the gateway's own endpoints live."""
    fix = "write a path such as /oauth2"
    if not isinstance(value, str) or not value.startswith("/") or value == "/":
        raise BadValueError(f"{quoted(value)} is not a prefix", fix)
    if value.endswith("/"):
        raise BadValueError(f"{quoted(value)} ends in a slash", f"write {value.rstrip('/') or '/oauth2'}")
    segments = value[1:].split("/")
    if not all(_SEGMENT.fullmatch(segment) and segment.strip(".") for segment in segments):
        raise BadValueError(f"{quoted(value)} is not a plain path", fix)
    if segments[0] in {"logout", "logged-out"}:
        raise BadValueError(f"{quoted(value)} lies under the logout path, which is reserved", fix)
    return value


def parse_route_path(value: object) -> str:
    """A path prefix as policies see it: decoded once, absolute, without anything two parsers read differently."""
    fix = "write the decoded path, such as / or /api/"
    if not isinstance(value, str) or not value.startswith("/"):
        raise BadValueError(f"{quoted(value)} does not begin with a slash", fix)
    if not value.isprintable() or set(value) & set("\\?#%;") or "//" in value:
        raise BadValueError(f"{quoted(value)} is not a plain path", fix)
    if any(segment in {".", ".."} for segment in value.split("/")):
        raise BadValueError(f"{quoted(value)} has a dot segment", fix)
    return value


def parse_issuer(value: object) -> str:
    """The issuer exactly as the provider writes it in its tokens, its trailing slash included."""
    parts = split_url(value, "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf")
    if parts.query or parts.fragment or "?" in str(value):
        raise BadValueError(
            "has a query or fragment", "write the issuer as the provider's discovery document does"
        )
    return str(value)


def parse_network(value: object) -> Network:
    """``10.0.0.0/8``, ``127.0.0.1``, ``fd00::/8``."""
    try:
        return ipaddress.ip_network(str(value), strict=True)
    except ValueError as error:
        if "host bits" in str(error):
            wider = ipaddress.ip_network(str(value), strict=False)
            raise BadValueError(f"{quoted(value)} has bits set behind its prefix", f"write {wider}") from None
    raise BadValueError(
        f"{quoted(value)} is not a network", "write a CIDR such as 10.0.0.0/8, or one address"
    )


def parse_ip(value: object) -> str:
    """An IP address, in its usual spelling."""
    try:
        return str(ipaddress.ip_address(str(value).removeprefix("[").removesuffix("]")))
    except ValueError:
        raise BadValueError(f"{quoted(value)} is not an IP address", "write one such as 10.0.0.7") from None


def parse_word(value: object) -> str:
    """A claim, scope or provider name: printable, not empty, no space at its ends."""
    if not isinstance(value, str):
        raise BadValueError(f"{quoted(value)} is not one value", "write a single word")
    if not value or not value.isprintable() or value != value.strip():
        raise BadValueError("is empty or has spaces around it or control characters", "write the plain name")
    return value


def parse_scope(value: object) -> str:
    """One OAuth scope token (RFC 6749 §3.3)."""
    word = parse_word(value)
    if " " in word or not word.isascii() or set(word) & set('"\\'):
        raise BadValueError(f"{quoted(value)} is not one scope", "write a list, such as [openid, email]")
    return word


def parse_policies(value: object, base: Path) -> str:
    """A set that comes with the gateway, or a directory; a relative one counts from ``base``."""
    text = parse_word(value)
    return text if text.startswith("builtin:") else str(base / text)


def parse_claim_header(value: object) -> str:
    """The name of a header that carries a claim to the upstream."""
    if not isinstance(value, str) or not _TOKEN.fullmatch(value) or "_" in value:
        raise BadValueError(f"{quoted(value)} is not a header name", "write letters, digits and hyphens")
    if _NOT_FOR_CLAIMS.fullmatch(value.lower()):
        raise BadValueError(
            f"the header {quoted(value)} has a meaning of its own", "choose another, such as X-Department"
        )
    return value


def parse_reserved_header(value: object) -> str:
    """The name of a header that no client may send; with a ``*`` behind it all names that begin so."""
    fix = "write a name such as X-Sso-User, or how the names begin, such as X-Sso-*"
    if not isinstance(value, str) or not _TOKEN.fullmatch(name := value.removesuffix("*")) or "*" in name:
        raise BadValueError(f"{quoted(value)} is not a header name", fix)
    if name.lower() in _NEEDED:
        raise BadValueError(f"the header {quoted(value)} is needed by every request", fix)
    return value


def parse_site_data(value: object) -> str:
    """One directive of ``Clear-Site-Data`` (W3C Clear Site Data §3.1)."""
    if value in ("cookies", "*"):
        raise BadValueError(
            f"{quoted(value)} deletes the cookies of every application on the registrable domain",
            "leave it out: the gateway's own cookies expire at every sign-out",
        )
    if value not in SITE_DATA:
        raise BadValueError(f"{quoted(value)} is none of its choices", f"choose of {', '.join(SITE_DATA)}")
    return str(value)


def parse_cookie_name(value: object) -> str:
    """The name of a predecessor's cookie (RFC 6265 §4.1.1); with a ``*`` behind it all names that begin so."""
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise BadValueError(f"{quoted(value)} is not a cookie name", "write the name alone")
    if value == "*":
        raise BadValueError("`*` is every cookie there is", "write how the names begin")
    if is_own_cookie(value.encode()):
        raise BadValueError(
            f"{quoted(value)} is a cookie of the gateway itself", "remove it; sign-out expires it anyway"
        )
    return value


def parse_cookie_suffix(value: object) -> str:
    """What tells the cookies of deployments on one host name apart; a dash in front is understood."""
    suffix = str(value).lstrip("-_")
    if not re.fullmatch(r"[a-z0-9]{1,16}", suffix):
        fix = "write up to 16 small letters and digits, such as blue"
        raise BadValueError(f"{quoted(value)} does not fit into the name of a cookie", fix)
    return suffix


def parse_provider_kind(value: object) -> str:
    """Which provider it is."""
    if not isinstance(value, str) or value not in PROVIDERS:
        raise BadValueError("is none of its choices", f"choose of {', '.join(PROVIDERS)}")
    return value


def parse_target_name(value: object) -> str:
    """What stands in ``/logout?to=``."""
    if not isinstance(value, str) or not _TARGET_NAME.fullmatch(value):
        raise BadValueError(f"{quoted(value)} is not a target name", "write small letters, digits, - and _")
    return value


def parse_target(value: object) -> str:
    """Where a named logout target leads: an absolute URL, or a path of this host."""
    if isinstance(value, str) and value.startswith("/"):
        if (
            value.startswith(("//", "/\\"))
            or not value.isprintable()
            or not value.isascii()
            or set(value) & set(" \\")
        ):
            raise BadValueError(f"{quoted(value)} is not a local path", "write a path such as /goodbye")
        return value
    split_url(value, "https://www.example.com/ or /goodbye")
    return str(value)


def parse_hop(value: object) -> ConfiguredHop:
    """``cognito``, or a mapping of one hop to its address, or to a choice it has."""
    if isinstance(value, str):
        kind, address = value, None
    elif isinstance(value, dict) and len(value) == 1:
        kind, address = next(iter(value.items()))
    else:
        raise BadValueError("is not a hop", "write cognito, or {okta_signout: https://example.okta.com}")
    found = HOPS.get(kind)
    if found is None:
        raise BadValueError(f"{quoted(kind)} is not a hop", f"choose one of {', '.join(HOPS)}")
    if found.example and address is None:
        raise BadValueError(f"the hop {kind} needs an address", f"write {{{kind}: {found.example}}}")
    if found.example:
        template = placeholders(found.example)
        return ConfiguredHop(
            kind, parse_hop_template(address, found.example) if template else parse_any_origin(address)
        )
    if address is not None and address not in found.choices:
        fix = f"write {kind} alone" + "".join(f", or {{{kind}: {choice}}}" for choice in found.choices)
        raise BadValueError(f"the hop {kind} takes no {quoted(address)}", fix)
    return ConfiguredHop(kind, str(address or ""))


def parse_hop_template(value: object, example: str) -> str:
    """An address with placeholders of `PLACEHOLDERS` in its path or query."""
    split_url(_PLACEHOLDER.sub("x", value) if isinstance(value, str) else value, example)
    template = str(value)
    if "#" in template:
        raise BadValueError(f"{quoted(value)} has a fragment", "leave out # and what follows")
    unknown = [name for name in placeholders(template) if name not in PLACEHOLDERS]
    if unknown or set(_PLACEHOLDER.sub("", template)) & set("{}"):
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise BadValueError(f"{quoted(value)} has braces that are no placeholder", f"use {known}")
    if "{" in template.split("/", 3)[2]:
        raise BadValueError(f"{quoted(value)} has a placeholder in its host", "write the host itself")
    return template
