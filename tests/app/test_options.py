"""What each part takes of the configuration."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.app.descriptors import Shares
from gateway.app.options import (
    claim_options,
    door_limits,
    door_rules,
    gate_rules,
    identity_options,
    logout_options,
    routes,
)
from gateway.config import load
from gateway.core.session.session import SessionLimits
from gateway.demo import configuration
from gateway.demo.options import DemoOptions
from gateway.oidc.signout.logout import Form, HopRequest, Redirect, Skip
from tests.fakes.configured import with_inbound


def test_every_part_takes_what_the_operator_wrote(tmp_path: Path) -> None:
    """From the file to the values that decide; nothing is made up on the way."""
    path = configuration.write(tmp_path, DemoOptions(), api="127.0.0.1:1")
    text = path.read_text()
    path.write_text(
        f"{text}\nhosts: [Other.example]\nallowed_origins: [https://a.example]\nmax_staleness: 7s\n"
    )
    settings = load(path, {"GATEWAY_HEADERS__GROUPS": '{"claim": "custom:groups", "shape": "json"}'})

    assert door_rules(settings, ("third.example",)).authorities == {
        "app.localhost:8080", "other.example", "third.example",
    }  # fmt: skip
    rules = gate_rules(settings, SessionLimits(idle=1, absolute=2))
    assert rules.origins == {"http://app.localhost:8080", "https://a.example"}
    assert rules.max_staleness == 7
    assert [route.path for route in routes(settings)] == ["/api/", "/"]
    assert [hop.name for hop in logout_options(settings).hops] == ["cognito", "okta_signout"]
    claims = claim_options(settings)
    assert (claims.user, claims.groups, claims.shape) == (settings.headers.user, "custom:groups", "json")
    assert claims.federated
    assert identity_options(settings).authorization is False


ORG = "https://example.okta.com"
SIGNALS = f"issuer: {ORG}, audience: a, jwks_uri: {ORG}/keys"


@pytest.mark.parametrize(
    ("inbound", "comes_back"),
    [
        ("{}", False),
        ("{frontchannel: true}", False),
        ("{backchannel: true}", True),
        (f"{{security_events: {{{SIGNALS}}}}}", True),
        (f"{{security_events: {{{SIGNALS}, events: [account-disabled]}}}}", False),
        ("{okta_event_hook: {secret: a-secret-that-is-long-enough}}", False),
        ("{okta_event_hook: {secret: a-secret-that-is-long-enough, session_end: user}}", True),
    ],
)
def test_r21_sign_outs_are_remembered_where_somebody_tells_of_them(
    tmp_path: Path, inbound: str, comes_back: bool
) -> None:
    """Nowhere else: the log has no room for what nobody asks for; and without a hop there is no news."""
    path = configuration.write(tmp_path, DemoOptions(), api="127.0.0.1:1")
    path.write_text(with_inbound(path.read_text(), f"inbound: {inbound}\n"))
    assert logout_options(load(path, {})).news_comes_back is comes_back
    path.write_text(re.sub("chain: .*", "chain: []", path.read_text()))
    assert logout_options(load(path, {})).news_comes_back is False


def test_r19_the_claim_with_the_user_s_id_elsewhere_is_a_name_too(tmp_path: Path) -> None:
    """``provider.linked_subjects``."""
    path = configuration.write(tmp_path, DemoOptions(), api="127.0.0.1:1")
    linked = f"provider:\n  linked_subjects: {{'{ORG}': 'custom:okta_id'}}\n"
    path.write_text(path.read_text().replace("provider:\n", linked))
    assert claim_options(load(path, {})).linked == ((ORG, "custom:okta_id"),)


CHAINS = [
    (
        "okta",
        "[oidc, {okta_signout: https://elsewhere.example.com}]",
        ["oidc", "okta_signout of oidc"],
        "id_token",
    ),
    ("oidc", "[oidc, {okta_signout: https://id.example.com}]", ["oidc", "okta_signout of oidc"], "id_token"),
    ("oidc", "[oidc, {okta_signout: https://org.okta.com}]", ["oidc", "okta_signout"], "id_token"),
    ("oidc", "[{okta_signout: https://id.example.com}, oidc]", ["okta_signout", "oidc"], "id_token"),
    ("entra", "[entra]", ["entra"], "login_hint"),
    ("auth0", "[auth0]", ["auth0"], "sid"),
    ("keycloak", "[{keycloak: get}]", ["keycloak"], "id_token"),
    ("google", "[google]", ["google"], ""),
    ("oidc", "[]", [], ""),
]


@pytest.mark.parametrize(("kind", "chain", "hops", "hint"), CHAINS)
def test_the_chain_is_what_the_operator_wrote(
    tmp_path: Path, kind: str, chain: str, hops: list[str], hint: str
) -> None:
    """In its order, with the hint that it needs; okta_signout stands in for oidc where both end one Okta session."""
    options = logout_options(load(configured(tmp_path, kind, chain), {}))
    assert [hop.name + (f" of {hop.instead_of}" if hop.instead_of else "") for hop in options.hops] == hops
    assert options.hint == hint
    needs = [each for each in options.hops if each.name == "oidc"]
    for hop in needs:
        falls_back = kind == "okta" or "okta_signout of oidc" in hops
        back, end = "https://app.example.com/x", "https://id.example.com/end"
        assert isinstance(hop.way.act(HopRequest(back, end_session=end)), Skip if falls_back else Redirect)
        hinted = hop.way.act(HopRequest(back, hint="h", end_session=end))
        assert isinstance(hinted, Form if falls_back else Redirect)


@pytest.mark.parametrize(
    ("kind", "hop", "short", "long"),
    [
        ("oidc", "oidc", "address", "without"),
        ("oidc", "{oidc: get}", "address", "without"),
        ("oidc", "{oidc: form}", "form", "form"),
        ("okta", "oidc", "form", "form"),
        ("okta", "{oidc: get}", "address", "form"),
        ("okta", "{oidc: form}", "form", "form"),
        ("keycloak", "keycloak", "address", "form"),
        ("keycloak", "oidc", "address", "form"),
        ("keycloak", "{keycloak: get}", "address", "form"),
        ("keycloak", "{keycloak: form}", "form", "form"),
        ("entra", "oidc", "address", "without"),
        ("auth0", "oidc", "address", "without"),
    ],
)
def test_a_form_is_for_those_who_are_known_to_take_it_or_who_are_said_to(
    tmp_path: Path, kind: str, hop: str, short: str, long: str
) -> None:
    """An address is what everybody takes; where it would be too long, a form is sent only to who is known to take it."""
    (found,) = logout_options(load(configured(tmp_path, kind, f"[{hop}]"), {})).hops

    def how(size: int) -> str:
        asked = HopRequest(
            "https://app.example.com/x", hint="h" * size, end_session="https://id.example.com/end"
        )
        act = found.way.act(asked)
        if isinstance(act, Form):
            return "form"
        assert isinstance(act, Redirect)
        return "address" if "id_token_hint" in act.url else "without"

    assert (how(1), how(5_000)) == (short, long)


@pytest.mark.parametrize(
    ("kind", "chain", "behind"),
    [
        ("keycloak", "[keycloak]", True),
        ("keycloak", "[keycloak, {okta_signout: https://org.okta.com}]", False),
        ("auth0", "[auth0]", True),
        ("auth0", "[{auth0: federated}]", False),
    ],
)
def test_r28_a_provider_behind_that_no_hop_leads_to_is_known(
    tmp_path: Path, kind: str, chain: str, behind: bool
) -> None:
    """Where people are sent through one; without `provider.identity_provider` nobody knows of it."""
    path = configured(tmp_path, kind, chain)
    assert not logout_options(load(path, {})).behind
    path.write_text(path.read_text().replace("client_id: c,", "client_id: c, identity_provider: corporate,"))
    assert logout_options(load(path, {})).behind is behind


def test_forms_may_lead_to_the_hops_and_the_provider_alone(tmp_path: Path) -> None:
    """Origins for the pages' policy, each once; a provider that no hop asks is none of them."""
    chain = '[oidc, {url: "https://x.example.com/out?to={return_to}"}]'
    assert logout_options(load(configured(tmp_path, "oidc", chain), {})).form_origins == (
        "https://id.example.com",
        "https://x.example.com",
    )
    assert logout_options(load(configured(tmp_path, "oidc", "[]"), {})).form_origins == ()


def configured(directory: Path, kind: str, chain: str) -> Path:
    """A file for that provider and that chain."""
    configuration.write(directory, DemoOptions())
    issuer = "https://id.example.com" + ("/" if kind == "auth0" else "")  # as it writes them
    path = directory / "chain.yaml"
    path.write_text(
        "public_url: https://app.example.com\n"
        "upstreams: [{path: /, url: http://127.0.0.1:1}]\n"
        f"provider: {{kind: {kind}, issuer: {issuer}, client_id: c, client_secret: s-e-c-r-e-t}}\n"
        "session: {key_files: [session-key]}\n"
        f"state: sqlite://{directory}/state.db\n"
        f"logout: {{chain: {chain}}}\n"
    )
    return path


TIMES = (
    "connect", "first_byte", "idle", "stream", "upstream_keep_alive", "client_keep_alive", "client_handshake", "client_head", "client_body",
    "client_send",
)  # fmt: skip
LIMITS = "limits: {body: 100, body_rate: 7, upstream_connections: 9, upstream_queue: 8}\n"
OWN = (
    "url: http://127.0.0.1:1, body: 200, connections: 3, connect: 31s, first_byte: 32s, idle: 33s, stream: 34s,"
    " client_body: 35s, keep_alive: 36s"
)


def test_every_limit_reaches_what_it_is_for(tmp_path: Path) -> None:
    """Each key with a number of its own, globally and for one upstream; nothing is left at its default."""
    path = configuration.write(tmp_path, DemoOptions(), api="127.0.0.1:1")
    times = ", ".join(f"{name}: {11 + at}s" for at, name in enumerate(TIMES))
    routed = re.sub(r"(?m)^upstreams:\n(?:  .*\n)*", "", path.read_text())
    upstreams = f"upstreams:\n- {{path: /, url: 'http://127.0.0.1:1'}}\n- {{path: /own/, {OWN}}}\n"
    path.write_text(f"{routed}\n{upstreams}timeouts: {{{times}}}\n{LIMITS}")
    settings = load(path, {})

    for_all, own = routes(settings)
    assert (for_all.connect, for_all.first_byte, for_all.idle, for_all.stream) == (11, 12, 13, 14)
    assert (for_all.keep_alive, for_all.client_body, for_all.body) == (15, 19, 100)
    assert (for_all.connections, for_all.queue) == (9, 8)
    assert (own.connect, own.first_byte, own.idle, own.stream, own.client_body) == (31, 32, 33, 34, 35)
    assert (own.keep_alive, own.body, own.connections) == (36, 200, 3)
    door = door_limits(settings, Shares(clients=50, client=5, pool=1, backlog=1))
    assert (door.keep_alive, door.handshake, door.head_seconds) == (16, 17, 18)
    assert (door.body_window, door.send_seconds, door.proxied) == (19, 20, ())
    assert (door.body, door.body_rate, door.per_client, door.together) == (200, 7, 5, 50)


def test_a_stream_has_no_limit_of_its_own_unless_it_is_given_one(tmp_path: Path) -> None:
    """`0s` is for ever; and an upstream without a limit of bodies leaves the door without one."""
    path = configuration.write(tmp_path, DemoOptions(), api="127.0.0.1:1")
    settings = load(path, {})
    assert {route.stream for route in routes(settings)} == {float("inf")}
    assert door_limits(settings, Shares(1, 1, 1, 1)).body == 0
