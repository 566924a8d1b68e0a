"""All checks together: each has a name, none may raise, and no secret gets out."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.doctor.check import check
from gateway.doctor.examination import CHECKS, NAMES, examined
from gateway.doctor.patient import Patient
from gateway.doctor.verdict import Observation, failed, ok
from gateway.oidc.providers.registry import HOPS
from tests.doctor.deployment import FAILED, SECRET, UNKNOWN, Deployment
from tests.fakes.puppet import Puppet, Says, moved


def test_each_check_has_a_name_of_its_own() -> None:
    """Reports, docs/traps.md and scripts go by it."""
    names = [each.name for each in CHECKS]
    assert len(names) == len(set(names))
    assert set(names) < NAMES
    assert all(name.replace("-", "").isalnum() and name == name.lower() for name in names)
    assert all(each.about.endswith("?") for each in CHECKS)


def test_each_hop_has_a_check_of_its_own() -> None:
    """Whoever adds one is reminded here."""
    assert {f"hop-{kind.replace('_', '-')}" for kind in HOPS} == {
        name for name in NAMES if name.startswith("hop-")
    }


async def test_a_configuration_that_cannot_be_used_is_all_there_is(cognito: Deployment) -> None:
    """Nothing else is asked."""
    cognito.pieces["listn"] = "x"
    found = await cognito.examined()
    assert not found.sound
    assert {name for name, _ in found.seen} == {"configuration"}
    assert found.register == ()


async def test_one_check_that_breaks_does_not_hide_the_others(cognito: Deployment) -> None:
    """It is said of it, without its words."""

    @check("broken", "Does it break?")
    async def broken(patient: Patient) -> AsyncIterator[Observation]:
        yield ok("here", "so far")
        raise RuntimeError(SECRET)

    @check("after", "Does it come after?")
    async def after(patient: Patient) -> AsyncIterator[Observation]:
        yield failed("there", f"a server said {SECRET}", f"tell nobody {SECRET}")

    found = await examined(cognito.write(), environ={}, checks=(broken, after))
    told = [(name, each.verdict) for name, each in found.seen if name != "configuration"]
    assert told[1:] == [("broken", UNKNOWN), ("after", FAILED)]
    assert SECRET not in repr(found)


LIES = [
    Says(raw=b""),
    Says(raw=b"\x00" * 100),
    Says(raw=b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\x00\r\n\r\n"),
    Says(raw=b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n\xff\xfe\xfd\xfc"),
    Says(
        body="<meta http-equiv=content-security-policy content='form-action http://[' ><script src='http://[x'>"
    ),
    moved("http://[half"),
    moved("//"),
    moved("\x7f?error=%00%ff&error"),
    Says(302, headers={"Location": "?" + "error=a&" * 2000}),
    Says(401, headers={"Set-Cookie": ";;;=;"}),
    Says(200, '{"issuer": 7, "authorization_endpoint": []}', kind="application/json"),
    Says(200, "[" * 5000, kind="application/json"),
    Says(200, "<x " * 5000),
]


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("honest_discovery", [True, False])
async def test_no_check_may_raise(
    cognito: Deployment, idp: Puppet, lie: Says, honest_discovery: bool
) -> None:
    """Whatever a provider or the application answers, to every check there is."""
    cognito.pieces["upstreams"] = [{"path": "/", "url": f"http://127.0.0.1:{idp.port}"}]
    discovery = [path for path in idp.lines if "pool" in path]
    for path in ("/", "/logout", "/oauth2/authorize", "/login/signout", "/metadata", "/sw.js"):
        idp.lines[path] = lie
    if not honest_discovery:
        idp.lines |= dict.fromkeys(discovery, lie)
    found = await cognito.examined(live=True, saml_metadata=f"{idp.origin()}/metadata")
    assert [each for _, each in found.seen if "itself broke" in each.what] == []
    assert SECRET not in repr(found)
    assert all(each.what.isprintable() for _, each in found.seen)


async def test_without_live_only_what_the_gateway_itself_asks_for(cognito: Deployment, idp: Puppet) -> None:
    """Discovery and keys."""
    await cognito.examined()
    assert {request.path for request in idp.asked} == {
        "/eu-west-1_pool/.well-known/openid-configuration",
        "/eu-west-1_pool/jwks.json",
    }


async def test_what_is_asked_live_reads_only(cognito: Deployment, idp: Puppet) -> None:
    """Always GET, never with a cookie, a secret or an authorization; but for the client's own at the token endpoint."""
    await cognito.examined(live=True)
    (token,) = [request for request in idp.asked if request.method != "GET"]
    assert (token.method, token.path) == ("POST", "/oauth2/token")
    assert "Cookie" not in token.headers
    for request in idp.asked:
        if request is token:
            continue
        assert not {"Cookie", "Authorization"} & set(request.headers)
        assert SECRET not in str(request.rel_url)
