"""Hops as their descriptors make them."""

from __future__ import annotations

from gateway.oidc.providers.descriptor import RelyingParty
from gateway.oidc.providers.registry import HOPS, PROVIDERS
from gateway.oidc.signout.logout import Hop


def hop_of(
    name: str,
    behind: str = "",
    *,
    kind: str = "oidc",
    issuer: str = "https://id.example.com",
    domain: str = "https://c.example.com",
    client_id: str = "client",
) -> Hop:
    """The hop ``name``, with what stands behind it in the file, at a provider of that kind."""
    return HOPS[name].made(RelyingParty(PROVIDERS[kind], issuer, client_id, domain), behind)
