"""The hops at other providers, asked for our address and for a stranger's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.doctor.deployment import APP, FAILED, OK, UNKNOWN, WARNING, Deployment, honest
from tests.fakes.puppet import Line, Puppet, Says, moved
from tests.fakes.sso import Sso, running

LOGOUT = "/logout"


def answering(ours: Says, strangers: Says) -> Line:
    """A provider that knows our address from others."""

    def answer(request: Any) -> Says:
        return ours if any(value.startswith(APP) for value in request.query.values()) else strangers

    return answer


def kind_of(directory: Path, idp: Puppet, kind: str, hop: Any) -> Deployment:
    return Deployment.openid(directory, idp, kind, logout={"chain": [hop]})


ANSWERS = [
    (Says(200, "do you want to sign out?"), Says(400), OK, "refuses another"),
    (Says(400), Says(400), FAILED, "error page"),
    (Says(200, "which account?"), Says(200, "which account?"), UNKNOWN, "a stranger's address as well"),
    (moved("/signed-out"), Says(400), OK, "refuses another"),
    (Says(503), Says(503), UNKNOWN, "503"),
    (Says(raw=b"nonsense"), Says(400), FAILED, ""),
]


@pytest.mark.parametrize("kind", ["keycloak", "entra", "auth0"])
@pytest.mark.parametrize(("ours", "strangers", "verdict", "said"), ANSWERS)
async def test_what_differs_is_known(
    tmp_path: Path, idp: Puppet, kind: str, ours: Says, strangers: Says, verdict: object, said: str
) -> None:
    """An answer that an unregistered address gets as well says nothing; without --live nothing is asked."""
    made = kind_of(tmp_path, idp, kind, kind)
    idp.lines[LOGOUT] = answering(ours, strangers)
    seen = (await made.seen(f"hop-{kind}", live=True))[-1]
    assert seen.verdict is verdict, seen
    assert said in seen.what
    if verdict is FAILED and said:
        assert f"enter {APP}/logout/done/{kind} at " in seen.fix
    idp.asked.clear()
    assert (await made.seen(f"hop-{kind}"))[-1].verdict is UNKNOWN
    assert [request.path for request in idp.asked if request.path == LOGOUT] == []


@pytest.mark.parametrize("kind", ["keycloak", "entra", "auth0"])
async def test_a_provider_that_sends_the_browser_back_is_good(tmp_path: Path, idp: Puppet, kind: str) -> None:
    """Whatever it appends."""
    made = kind_of(tmp_path, idp, kind, kind)
    idp.lines[LOGOUT] = answering(moved(f"{APP}/logout/done/{kind}?state=gateway-doctor"), Says(400))
    assert (await made.seen(f"hop-{kind}", live=True))[-1].verdict is OK


async def test_trap_14_okta_ends_nothing_without_a_hint(tmp_path: Path, idp: Puppet) -> None:
    """So the doctor, who has none, does not ask, and says what it cannot know."""
    made = kind_of(tmp_path, idp, "okta", "oidc")
    *_, seen = await made.seen("hop-oidc", live=True)
    assert seen.verdict is UNKNOWN
    assert "without an ID token" in seen.what
    assert "Sign-out redirect URIs" in seen.fix


@pytest.mark.parametrize(
    ("end_session", "verdict"),
    [("{issuer}/v1/logout", OK), ("{origin}/oauth2/v1/logout", WARNING), ("http://x.localhost/logout", OK)],
)
async def test_trap_15_the_endpoint_is_the_issuers_own(
    tmp_path: Path, idp: Puppet, end_session: str, verdict: object
) -> None:
    """A hint is good only at the authorization server that signed it."""
    issuer = f"{idp.origin('okta')}/oauth2/default"
    made = kind_of(tmp_path, idp, "okta", "oidc")
    made.pieces["provider"] = made.pieces["provider"] | {"issuer": issuer}
    ends = end_session.format(issuer=issuer, origin=idp.origin("okta"))
    idp.lines |= honest(idp, path="/oauth2/default", issuer=issuer, end_session_endpoint=ends)
    seen = (await made.seen("hop-oidc"))[0]
    assert seen.verdict is verdict, seen


async def test_a_provider_without_the_endpoint(openid: Deployment, idp: Puppet) -> None:
    """Nothing can be asked, and it says so."""
    openid.pieces["logout"] = {"chain": ["oidc"]}
    idp.lines |= honest(idp, path="", end_session_endpoint=None)
    seen = await openid.only("hop-oidc", live=True)
    assert seen.verdict is UNKNOWN
    assert "only this application's session" in seen.what


async def test_google_ends_nothing(tmp_path: Path, idp: Puppet) -> None:
    """It has nothing to ask for."""
    made = kind_of(tmp_path, idp, "google", "google")
    seen = await made.only("hop-google", live=True)
    assert seen.verdict is UNKNOWN
    assert "Google has no address" in seen.what


@pytest.mark.parametrize(("ours", "strangers", "verdict", "said"), ANSWERS)
async def test_an_address_of_ones_own(
    tmp_path: Path, idp: Puppet, ours: Says, strangers: Says, verdict: object, said: str
) -> None:
    """As any other."""
    address = f"{idp.origin('own')}/end?to={{return_to}}"
    made = kind_of(tmp_path, idp, "oidc", {"url": address})
    idp.lines["/end"] = answering(ours, strangers)
    seen = await made.only("hop-url", live=True)
    assert seen.verdict is verdict, seen
    assert said in seen.what


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [("oidc", OK), ("keycloak", OK), ("entra", OK), ("auth0", OK), ("okta", UNKNOWN), ("google", UNKNOWN)],
)
async def test_each_kind_of_provider_in_its_manners(tmp_path: Path, kind: str, verdict: object) -> None:
    """One that compares addresses byte for byte: ours is known, and known to be missing; nobody is signed out."""
    hop = {"okta": "oidc"}.get(kind, kind)
    async with running(Sso(kind)) as sso:
        provider = {"kind": kind, "issuer": sso.issuer, "client_id": "sso-client"}
        pieces = {"provider": provider, "headers": {"groups": "groups"}, "logout": {"chain": [hop]}}
        made = Deployment(tmp_path, pieces)
        sso.sessions["sso-1"] = "alice"
        missing = (await made.seen(f"hop-{hop}", live=True))[-1]
        sso.returns = [f"{APP}/logout/done/{hop}"]
        sso.callback = f"{APP}/oauth2/callback"
        known = (await made.seen(f"hop-{hop}", live=True))[-1]
        assert (await made.only("callback", live=True)).verdict in {OK, UNKNOWN}
        assert sso.sessions == {"sso-1": "alice"}
    assert known.verdict is verdict, known
    assert missing.verdict is (FAILED if verdict is OK else verdict), missing
