"""The words of ``policies/schema.cedarschema``, and requests put into them.

The schema file is what Cedar checks against; a test holds this module to it. HEAD is not a word of its own: it is
decided as GET (rule R32). CONNECT and TRACE are left out, so nobody can permit them: a reverse proxy opens no tunnels,
and an echo of the request would show the identity headers that the gateway adds (RFC 9110 §9.3.8).
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping

from gateway.core.session.session import Principal

READ = frozenset({"GET", "OPTIONS", "PROPFIND", "REPORT", "SEARCH"})
"""Safe methods: RFC 9110 §9.2.1, RFC 4918, RFC 3253, RFC 5323."""
WRITE = frozenset({
    "POST", "PUT", "DELETE", "PATCH", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "VERSION-CONTROL",
    "CHECKOUT", "CHECKIN", "UNCHECKOUT", "MKWORKSPACE", "UPDATE", "LABEL", "MERGE", "BASELINE-CONTROL",
    "MKACTIVITY", "ORDERPATCH", "ACL", "MKREDIRECTREF", "UPDATEREDIRECTREF", "MKCALENDAR", "BIND", "UNBIND",
    "REBIND",
})  # fmt: skip
METHODS = READ | WRITE
"""Methods as policies know them, upper case and compared exactly."""

CONTEXT = frozenset({"host", "path", "client", "auth_age", "acr"})
"""Attributes of ``context``. The last two are optional: Anonymous has neither."""

ANONYMOUS = {"type": "Anonymous", "id": "anonymous"}


def auth_age(principal: Principal, now: int) -> int:
    """Whole minutes since ``principal`` authenticated; 0 when its clock is ahead of ours."""
    return max(0, now - principal.auth_time) // 60


def canonical_host(host: str) -> str:
    """``host`` as policies compare it: lower case, without port and without the dot of a fully qualified name."""
    name, colon, port = host.rpartition(":")
    bare = name if colon and (port.isdigit() or not port) else host
    return bare.lower().removesuffix(".")


def canonical_client(client: str) -> str:
    """``client`` as Cedar's ``ip`` takes it: without zone, an IPv4 address never dressed as IPv6.

    :raises ValueError: not one address. (Cedar itself would take a whole network here.)
    """
    address = ipaddress.ip_address(client.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def entities_json(principal: Principal | None) -> str:
    """Cedar's entity store for one request: who asks, and the groups they are in."""
    if principal is None:
        return json.dumps([{"uid": ANONYMOUS, "attrs": {}, "parents": []}])
    attributes = {"user": principal.user}
    if principal.email is not None:
        attributes["email"] = principal.email
    parents = [{"type": "Group", "id": group} for group in principal.groups]
    return json.dumps(
        [{"uid": {"type": "User", "id": principal.user}, "attrs": attributes, "parents": parents}]
    )


def cedar_request(
    principal: Principal | None, method: str, route: str, context: Mapping[str, str | int]
) -> dict[str, object]:
    """The request in Cedar's structured form, in which no value can be read as Cedar text."""
    return {
        "principal": ANONYMOUS if principal is None else {"type": "User", "id": principal.user},
        "action": {"type": "Action", "id": method},
        "resource": {"type": "Route", "id": route},
        "context": dict(context),
    }


def cedar_context(
    principal: Principal | None, host: str, path: str, client: str, now: int
) -> dict[str, str | int]:
    """What a policy can ask about the request besides who, how and where.

    :raises ValueError: ``client`` is not an address.
    """
    context: dict[str, str | int] = {
        "host": canonical_host(host),
        "path": path,
        "client": canonical_client(client),
    }
    if principal is not None:
        context["auth_age"] = auth_age(principal, now)
        if principal.acr is not None:
            context["acr"] = principal.acr
    return context
