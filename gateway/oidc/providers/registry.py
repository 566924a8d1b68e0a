"""Which providers there are: a line for each file, whose kinds and hops the configuration file has by their names."""

from __future__ import annotations

from importlib import import_module

from gateway.oidc.providers.descriptor import HopKind, ProviderKind

FILES = (
    "cognito",
    "okta",
    "openid",
    "keycloak",
    "entra",
    "auth0",
    "google",
)
_FOUND = [value for file in FILES for value in vars(import_module(f"{__package__}.{file}")).values()]
PROVIDERS = {each.name: each for each in _FOUND if isinstance(each, ProviderKind)}
HOPS = {each.name: each for each in _FOUND if isinstance(each, HopKind)}
