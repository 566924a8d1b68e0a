"""Where a scenario takes place: names that are three sites to a browser, plain on this machine or real ones over TLS."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import pytest

from gateway.demo.options import DemoOptions
from tests.browser.authority import APP, HOSTED_UI, ISSUER, NAMES, OKTA, Authority
from tests.browser.driver import Mode


class World(Enum):
    """Names, and how Cognito asks Okta."""

    LOCALHOST = "http://*.localhost, OpenID Connect"
    LOCALHOST_SAML = "http://*.localhost, SAML"
    TLS = "three registrable domains over TLS, OpenID Connect"
    TLS_SAML = "three registrable domains over TLS, SAML"

    @property
    def federation(self) -> str:
        return "saml" if self in {World.LOCALHOST_SAML, World.TLS_SAML} else "oidc"

    def product(self, authority: Authority, replaced: Mapping[str, str]) -> dict[str, Any]:
        """Arguments for ``standing``."""
        if self in {World.LOCALHOST, World.LOCALHOST_SAML}:
            return {"federation": self.federation, "replaced": replaced}
        return {"federation": self.federation, **_over_tls(authority, replaced)}


def _over_tls(authority: Authority, replaced: Mapping[str, str]) -> dict[str, Any]:
    demo = DemoOptions(
        app=f"https://{APP}:0",
        cognito=f"https://{HOSTED_UI}:1",
        issuer=f"https://{ISSUER}:1/eu-west-1_demo",
        okta=f"https://{OKTA}:2",
        client_secret="known-to-nobody-else",
        hook_secret="nor-is-this-which-ends-sessions-here",
        ca_file=str(authority.ca_file),
        cert_file=str(authority.cert_file),
        key_file=str(authority.key_file),
    )
    resolve = ", ".join(f"{name}: 127.0.0.1" for name in NAMES)
    provider = f"provider:\n  ca_file: {authority.ca_file}\n  resolve: {{{resolve}}}\n"
    tls = f"tls: {{cert_file: {authority.cert_file}, key_file: {authority.key_file}}}\n"
    return {"demo": demo, "replaced": {"provider:\n": provider, **replaced}, "extra": tls}


def taking_place(*cases: tuple[World, Mode]) -> pytest.MarkDecorator:
    """Run a test in each of these worlds and modes."""
    ids = [f"{world.name.lower()}-{mode.name.lower()}" for world, mode in cases]
    return pytest.mark.parametrize(("world", "mode"), cases, ids=ids)


MAIN = (
    (World.TLS, Mode.BLOCKING),
    (World.TLS_SAML, Mode.BLOCKING),
    (World.TLS_SAML, Mode.PRIVATE),
)
"""Where somebody signs in and out; the matrix does so below localhost in every kind of window."""
OVER_TLS = ((World.TLS_SAML, Mode.PRIVATE),)
"""At three domains, what the matrix tries on names below localhost."""
