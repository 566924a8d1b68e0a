"""With which methods an end-session endpoint can be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.doctor.deployment import APP, FAILED, OK, UNKNOWN, WARNING, Deployment
from tests.fakes.puppet import Line, Puppet, Says

LOGOUT, NAME = "/logout", "end-session-methods"
PAGE, MISSING, NOT_ALLOWED = Says(200, "do you want to sign out?"), Says(404), Says(405)


def methods(by_get: Says, by_form: Says) -> Line:
    def answer(request: Any) -> Says:
        return by_get if request.method == "GET" else by_form

    return answer


def with_hop(directory: Path, idp: Puppet, kind: str, hop: Any, line: Line) -> Deployment:
    made = Deployment.openid(directory, idp, kind, logout={"chain": [hop]})
    idp.lines[LOGOUT] = line
    return made


@pytest.mark.parametrize(
    ("kind", "hop", "by_get", "by_form", "verdict", "said"),
    [
        ("oidc", "oidc", PAGE, PAGE, OK, "asks by GET"),
        ("oidc", "oidc", PAGE, MISSING, OK, "a form with 404"),
        ("oidc", "oidc", NOT_ALLOWED, PAGE, FAILED, "is none"),
        ("oidc", {"oidc": "form"}, PAGE, PAGE, WARNING, "no Lax cookie"),
        ("oidc", {"oidc": "form"}, PAGE, NOT_ALLOWED, FAILED, "strands people"),
        ("okta", "oidc", Says(400), Says(400), OK, "known to take with its cookies"),
        ("okta", "oidc", PAGE, MISSING, FAILED, "strands people"),
        ("keycloak", "keycloak", PAGE, PAGE, OK, "asks by GET"),
        ("entra", "entra", PAGE, MISSING, OK, "asks by GET"),
        ("auth0", "auth0", MISSING, MISSING, FAILED, "is none"),
        ("oidc", "oidc", Says(503), PAGE, UNKNOWN, "503"),
        ("oidc", "oidc", Says(raw=b"nonsense"), PAGE, FAILED, ""),
    ],
)
async def test_both_methods_are_tried_and_said(
    tmp_path: Path, idp: Puppet, kind: str, hop: Any, by_get: Says, by_form: Says, verdict: object, said: str
) -> None:
    """What the gateway sends has to be taken; that its session ends by it is claimed of nobody who is not known."""
    made = with_hop(tmp_path, idp, kind, hop, methods(by_get, by_form))
    seen = await made.only(NAME, live=True)
    assert seen.verdict is verdict, seen
    assert said in seen.what


async def test_what_is_asked_names_the_client_and_no_session(tmp_path: Path, idp: Puppet) -> None:
    """No cookie, no hint, the same parameters in the address and in the form; without --live nothing is asked."""
    made = with_hop(tmp_path, idp, "oidc", "oidc", methods(PAGE, PAGE))
    assert (await made.only(NAME)).verdict is UNKNOWN
    assert [request.path for request in idp.asked if request.path == LOGOUT] == []
    await made.only(NAME, live=True)
    by_get, by_form = [request for request in idp.asked if request.path == LOGOUT]
    assert (by_get.method, by_form.method) == ("GET", "POST")
    given = {"client_id": "client", "post_logout_redirect_uri": f"{APP}/logout/done/oidc"}
    assert dict(by_get.query) == {**given, "state": "gateway-doctor"}
    assert dict(by_form.query) == {}
    assert by_form.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert not any("Cookie" in request.headers for request in (by_get, by_form))


@pytest.mark.parametrize(
    ("kind", "hop"), [("google", "google"), ("oidc", {"url": "https://x.example/{return_to}"})]
)
async def test_who_has_no_such_endpoint_is_not_asked(
    tmp_path: Path, idp: Puppet, kind: str, hop: Any
) -> None:
    """Nothing is said of it here."""
    made = with_hop(tmp_path, idp, kind, hop, PAGE)
    assert await made.seen(NAME, live=True) == []
