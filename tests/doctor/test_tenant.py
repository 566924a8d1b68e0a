"""What only a tenant can answer, as far as it can be seen from outside."""

from __future__ import annotations

from tests.doctor.deployment import APP, Deployment, honest
from tests.fakes.puppet import Puppet, Says, moved


async def test_what_is_not_documented_is_collected(cognito: Deployment, idp: Puppet) -> None:
    """Discovery, names and attributes of cookies without their values, and how addresses are compared."""
    cookie = {"Set-Cookie": "XSRF-TOKEN=very-secret; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=9"}
    idp.lines["/logout"] = Says(302, headers={"Location": f"{APP}/logout/done/cognito", **cookie})
    idp.lines["/login/signout"] = moved("/login/login.htm")
    said = " / ".join(each.what for each in await cognito.seen("tenant", live=True))
    assert "names a revocation_endpoint" in said
    assert "does not promise iss" in said
    assert "XSRF-TOKEN Secure HttpOnly SameSite=Lax" in said
    assert "very-secret" not in said
    assert "sets no cookie" in said
    assert "is forgiven" in said
    idp.lines["/logout"] = Says(400)
    idp.lines |= honest(idp, revocation_endpoint=None, authorization_response_iss_parameter_supported=True)
    said = " / ".join(each.what for each in await cognito.seen("tenant", live=True))
    assert "does not name a revocation_endpoint" in said
    assert "promises iss" in said
    assert "byte for byte" in said


async def test_a_tenant_that_is_not_there_is_no_finding(cognito: Deployment, idp: Puppet) -> None:
    """Other checks say that; and without --live nobody is asked."""
    for path in ("/logout", "/login/signout"):
        idp.lines[path] = Says(raw=b"nonsense")
    assert {each.verdict.value for each in await cognito.seen("tenant", live=True)} == {"ok", "cannot know"}
    assert await cognito.seen("tenant") == []
