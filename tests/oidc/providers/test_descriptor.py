"""What each descriptor makes of a configured hop, to the letter (facts A.5, B.1, C.1, E.3)."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.core.signout.evidence import Asked, Evidence
from gateway.oidc.providers.registry import HOPS, PROVIDERS
from gateway.oidc.signout.logout import LONGEST, Act, HopRequest, OidcLogout, Redirect, Skip
from gateway.oidc.signout.sign_outs import Proof
from tests.fakes.hops import hop_of

BACK = "https://app.example.com/logout/done/oidc"
ENDPOINT = "https://id.example.com/session/end"
ASKED = HopRequest(BACK, state="the-state", hint="the-hint", end_session=ENDPOINT)
LOST = HopRequest(BACK, state="the-state", end_session=ENDPOINT)
AUTH0 = {"kind": "auth0", "issuer": "https://t.auth0.com/"}
ENTRA = {"kind": "entra", "issuer": "https://login.microsoftonline.com/t-1/v2.0"}


def address(act: Act) -> str:
    assert isinstance(act, Redirect)
    return act.url


def asked_of(act: Act) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(address(act)).query, keep_blank_values=True)


def test_every_kind_of_the_configuration_is_there() -> None:
    """The kinds that design section 8 lists, and no other; each implies a hop that there is."""
    assert set(PROVIDERS) == {"cognito", "okta", "oidc", "keycloak", "entra", "auth0", "google"}
    assert {kind.hop for kind in PROVIDERS.values()} <= set(HOPS)
    assert {hop.of for hop in HOPS.values()} <= {*PROVIDERS, ""}


def test_cognitos_hop_is_exact() -> None:
    """client_id and logout_uri, nothing of OIDC's, nothing else."""
    domain = "https://example.auth.eu-west-1.amazoncognito.com"
    hop = hop_of("cognito", kind="cognito", domain=domain, client_id="1h57kf5cpq17m0eml12EXAMPLE")
    request = HopRequest("https://app.example.com/logout/done/cognito", "state", "hint")
    assert hop.way.act(request) == Redirect(
        "https://example.auth.eu-west-1.amazoncognito.com/logout?client_id=1h57kf5cpq17m0eml12EXAMPLE"
        "&logout_uri=https%3A%2F%2Fapp.example.com%2Flogout%2Fdone%2Fcognito"
    )


@pytest.mark.parametrize(
    ("org", "back", "sent"),
    [
        (
            "https://example.okta.com",
            "https://app.example.com/x",
            "?fromURI=https%3A%2F%2Fapp.example.com%2Fx",
        ),
        (
            "http://okta.localhost:8082",
            "http://app.localhost:8080/x",
            "?fromURI=http%3A%2F%2Fapp.localhost%3A8080%2Fx",
        ),
    ],
)
def test_oktas_hop_is_exact(org: str, back: str, sent: str) -> None:
    """fromURI, capitals included; the demo's names, with their ports."""
    act = hop_of("okta_signout", org).way.act(HopRequest(back))
    assert act == Redirect(f"{org}/login/signout{sent}")


@pytest.mark.parametrize(
    ("hop", "kind", "address", "elsewhere"),
    [
        ("okta_signout", "oidc", "https://id.example.com", False),
        ("okta_signout", "okta", "https://custom.example.com", False),
        ("okta_signout", "cognito", "https://x.okta.com", True),
        ("url", "oidc", "https://id.example.com/out?to={return_to}", False),
        ("url", "cognito", "https://c.example.com/logout", False),
        ("url", "okta", "https://x.example.com/out", True),
        ("keycloak", "keycloak", "", False),
    ],
)
def test_whose_session_a_hop_ends(hop: str, kind: str, address: str, elsewhere: bool) -> None:
    """That of the provider that signs people in, where its address is one of its own, or its kind says so."""
    assert hop_of(hop, address, kind=kind).elsewhere is elsewhere


@pytest.mark.parametrize(
    ("hop", "kind", "behind", "label"),
    [
        ("oidc", "oidc", "", "id.example.com"),
        ("oidc", "okta", "", "Okta"),
        ("url", "okta", "https://x.example.com/out", "x.example.com"),
        ("okta_signout", "cognito", "https://x.okta.com", "Okta"),
        ("entra", "entra", "", "Microsoft"),
    ],
)
def test_people_read_a_name_that_they_know(hop: str, kind: str, behind: str, label: str) -> None:
    """Of the provider, or of the host where nobody knows more."""
    assert hop_of(hop, behind, kind=kind).label == label


@pytest.mark.parametrize(("template", "proof"), [("a", Proof.NOTHING), ("{state}", Proof.STATE)])
def test_an_address_of_ones_own_proves_what_it_sends(template: str, proof: Proof) -> None:
    """Without ``{state}`` nothing comes back that would name the chain."""
    assert hop_of("url", f"https://x.example.com/{template}").known.proof is proof


def test_keycloaks_endpoint_follows_from_its_issuer() -> None:
    """What it says itself comes first."""
    way = hop_of("keycloak", kind="keycloak", issuer="https://kc.example.com/realms/r").way
    derived = "https://kc.example.com/realms/r/protocol/openid-connect/logout?"
    assert address(way.act(HopRequest(BACK, "s", "the-hint", reached=False))).startswith(derived)
    assert address(way.act(ASKED)).startswith(f"{ENDPOINT}?")


@pytest.mark.parametrize(
    ("issuer", "endpoint"),
    [
        (
            "https://login.microsoftonline.com/t-1/v2.0",
            "https://login.microsoftonline.com/t-1/oauth2/v2.0/logout",
        ),
        ("https://t.ciamlogin.com/t-1/v2.0/", "https://t.ciamlogin.com/t-1/oauth2/v2.0/logout"),
    ],
)
def test_entra_takes_the_login_hint(issuer: str, endpoint: str) -> None:
    """No token is sent; without a hint Microsoft asks for the account."""
    way = hop_of("entra", kind="entra", issuer=issuer).way
    act = way.act(HopRequest(BACK, "the-state", "O.CiQ"))
    assert address(act).startswith(f"{endpoint}?")
    assert asked_of(act) == [
        ("logout_hint", "O.CiQ"),
        ("post_logout_redirect_uri", BACK),
        ("state", "the-state"),
    ]
    assert address(way.act(ASKED)).startswith(f"{ENDPOINT}?")
    assert "logout_hint" not in address(way.act(LOST))


def test_auth0_takes_the_session_id_and_may_go_further() -> None:
    """``federated`` has no value; the issuer has a slash at its end and the endpoint one only."""
    unlisted = HopRequest(BACK, "the-state", "sid-1")
    hop, further = hop_of("auth0", **AUTH0), hop_of("auth0", "federated", **AUTH0)
    url = address(hop.way.act(unlisted))
    assert url.startswith("https://t.auth0.com/oidc/logout?logout_hint=sid-1&client_id=client&")
    assert "federated" not in url
    assert asked_of(further.way.act(unlisted))[-1] == ("federated", "")
    assert (hop.further, further.further) == (False, True)
    assert "logout_hint" not in address(hop.way.act(HopRequest(BACK, "s")))


@pytest.mark.parametrize("hop", [hop_of("entra", **ENTRA), hop_of("auth0", **AUTH0)])
def test_a_claim_is_left_out_as_a_token_is(hop: object) -> None:
    """Where it is too long, and at a second try: what names the account or the session may be anything."""
    way = getattr(hop, "way", None)
    assert isinstance(way, OidcLogout)
    for request, how in (
        (HopRequest(BACK, "s", "h" * LONGEST), Asked.HINT_TOO_LONG),
        (HopRequest(BACK, "s", "h", published=True, again=True), Asked.AGAIN),
        (HopRequest(BACK, "s", "h"), Asked.HINT),
    ):
        act = way.act(request)
        assert isinstance(act, Redirect)
        assert (act.how, "logout_hint=h&" in act.url) == (how, how is Asked.HINT)


def test_google_is_not_asked() -> None:
    """It has no such address."""
    assert hop_of("google", kind="google").way.act(ASKED) == Skip(Evidence.NO_ENDPOINT)
