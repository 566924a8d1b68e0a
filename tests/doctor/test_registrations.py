"""What to enter at the consoles: exactly what the gateway will send."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.app.options import logout_options
from gateway.app.wiring import Gateway
from gateway.config import load
from gateway.doctor.registrations import registrations
from gateway.oidc.providers.descriptor import Registration
from gateway.oidc.signout.logout import HopRequest, Redirect
from gateway.web.door.table import EndpointTable
from gateway.web.signout.hops import DONE_PREFIX
from tests.doctor.deployment import APP, Deployment
from tests.fakes.puppet import Puppet

OKTAS = {
    "universal_logout": {
        "issuer": "https://x.okta.com",
        "subject": "0oa",
        "jwks_uri": "https://x.okta.com/k",
    },
    "security_events": {"issuer": "https://x.okta.com", "audience": APP, "jwks_uri": "https://x.okta.com/k"},
    "okta_event_hook": {"secret": "a-long-secret-of-the-hook-of-ours"},
}
"""Ways in that Okta has."""


def register(made: Deployment) -> list[Registration]:
    return registrations(load(made.write(), {}))


def values(made: Deployment) -> dict[tuple[str, str], str]:
    return {(each.console, each.field): each.value for each in register(made)}


def test_cognito_and_okta(cognito: Deployment, idp: Puppet) -> None:
    """Every field of both consoles, for the hub and for SAML single logout."""
    assert values(cognito) == {
        ("Amazon Cognito", "Allowed callback URLs"): f"{APP}/oauth2/callback",
        ("Amazon Cognito", "Allowed sign-out URLs"): f"{APP}/logout/done/cognito",
        ("Amazon Cognito", "Add sign-out flow"): "on",
        ("Okta", "Origin URL"): APP,
        ("Okta", "URL"): f"{APP}/",
        ("Okta", "Single Logout URL"): f"{idp.origin('login')}/saml2/logout",
        ("Okta", "SP Issuer"): "urn:amazon:cognito:sp:eu-west-1_pool",
        ("Okta", "Signature Certificate"): "the signing certificate of the user pool",
    }


def test_each_console_comes_once(cognito: Deployment) -> None:
    """So that one person can go through it from top to bottom."""
    consoles = [each.console for each in register(cognito)]
    assert consoles == sorted(consoles, key=consoles.index)
    assert consoles.index("Okta") == consoles.count("Amazon Cognito")


def test_trap_05_what_is_registered_is_what_is_sent(cognito: Deployment) -> None:
    """To the byte: the address in the hop and the address to paste are one string."""
    hop = next(hop for hop in logout_options(load(cognito.write(), {})).hops if hop.name == "cognito")
    act = hop.way.act(HopRequest(f"{APP}{DONE_PREFIX}cognito"))
    assert isinstance(act, Redirect)
    (sent,) = parse_qs(urlsplit(act.url).query)["logout_uri"]
    assert sent == values(cognito)["Amazon Cognito", "Allowed sign-out URLs"]


def test_trap_29_a_tile_at_okta_leads_to_the_gateway(cognito: Deployment) -> None:
    """A bookmark begins a sign-in here; a tile of the SAML app would begin one at Okta, which Cognito refuses."""
    (tile,) = [each for each in register(cognito) if "Bookmark" in each.screen]
    assert tile.value == f"{APP}/"


@pytest.mark.parametrize(
    ("kind", "hop", "field"),
    [
        ("keycloak", "keycloak", "Valid post logout redirect URIs"),
        ("entra", "entra", "Web > Redirect URIs"),
        ("auth0", "auth0", "Allowed Logout URLs"),
        ("okta", "oidc", "Sign-out redirect URIs"),
        ("oidc", "oidc", "post_logout_redirect_uris"),
    ],
)
def test_other_providers(tmp_path: Path, idp: Puppet, kind: str, hop: str, field: str) -> None:
    """The callback and the return address, each in its field."""
    made = Deployment.openid(tmp_path, idp, kind, logout={"chain": [hop]})
    found = {(each.field, each.value) for each in register(made)}
    assert (field, f"{APP}/logout/done/{hop}") in found
    assert f"{APP}/oauth2/callback" in {value for _, value in found}


def test_entra_has_to_send_the_hint(tmp_path: Path, idp: Puppet) -> None:
    """It is an optional claim there, and off by default."""
    made = Deployment.openid(tmp_path, idp, "entra", logout={"chain": ["entra"]})
    assert values(made)["Microsoft Entra", "Claim"] == "login_hint"


def test_google_has_no_sign_out_to_register(tmp_path: Path, idp: Puppet) -> None:
    """Only the callback."""
    made = Deployment.openid(tmp_path, idp, "google", logout={"chain": ["google"]})
    assert [each.field for each in register(made)] == ["Authorized redirect URIs"]


@pytest.mark.parametrize(
    ("inbound", "field", "path"),
    [
        ({"backchannel": True}, "backchannel_logout_uri", "/oauth2/backchannel-logout"),
        ({"frontchannel": True}, "frontchannel_logout_uri", "/oauth2/frontchannel-logout"),
        *(
            ({name: OKTAS[name]}, field, f"/oauth2/{path}")
            for name, field, path in (
                ("universal_logout", "Logout Endpoint URL", "global-token-revocation"),
                ("security_events", "endpoint_url", "security-events"),
                ("okta_event_hook", "URL", "okta-events"),
            )
        ),
    ],
)
def test_what_ends_sessions_from_outside(
    openid: Deployment, inbound: dict[str, Any], field: str, path: str
) -> None:
    """Where it is configured, and nowhere else."""
    settings = load(openid.write(), {})
    openid.pieces["inbound"] = inbound
    opened = load(openid.write(), {})
    before = {each.value for each in registrations(settings)}
    (new,) = [each for each in registrations(opened) if each.value not in before]
    assert (new.field, new.value) == (field, f"{APP}{path}")
    assert "security_events" not in inbound or new.console == "x.okta.com"


def test_events_that_are_fetched_need_no_address(openid: Deployment) -> None:
    """Nobody is told where to push them."""
    settings = load(openid.write(), {})
    polled = {"poll_endpoint": "https://x.okta.com/poll", "token": "t"}
    openid.pieces["inbound"] = {"security_events": OKTAS["security_events"] | polled}
    assert registrations(load(openid.write(), {})) == registrations(settings)


async def test_every_address_of_ours_is_answered(tmp_path: Path, idp: Puppet) -> None:
    """What is to be pasted is a path of the gateway that runs on this very configuration."""
    made = Deployment.openid(
        tmp_path,
        idp,
        "keycloak",
        logout={"chain": ["keycloak"]},
        inbound={"backchannel": True, "frontchannel": True, **OKTAS},
    )
    settings = load(made.write(), {})
    table = Gateway(settings).door._table
    assert isinstance(table, EndpointTable)
    answered = set(table._exact)
    ours = {urlsplit(each.value).path for each in registrations(settings) if each.value.startswith(APP)}
    assert len(ours) == 7
    assert ours <= answered
