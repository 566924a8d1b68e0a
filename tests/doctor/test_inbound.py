"""The keys of those who may end sessions from outside."""

from __future__ import annotations

import pytest

from tests.doctor.deployment import APP, FAILED, OK, Deployment
from tests.fakes.puppet import Puppet, Says


@pytest.fixture
def opened(cognito: Deployment, idp: Puppet) -> Deployment:
    """Universal Logout and security events by one Okta, whose keys are the provider's here."""
    keys = idp.origin("okta") + "/keys"
    idp.lines["/keys"] = idp.lines["/eu-west-1_pool/jwks.json"]
    cognito.pieces["inbound"] = {
        "universal_logout": {"issuer": idp.origin("okta"), "subject": "0oa", "jwks_uri": keys},
        "security_events": {"issuer": idp.origin("okta"), "audience": APP, "jwks_uri": keys},
    }
    return cognito


async def test_keys_that_are_there(opened: Deployment, idp: Puppet) -> None:
    """Of each way in, without --live: the gateway asks for them too."""
    assert [each.verdict for each in await opened.seen("inbound-keys")] == [OK, OK]


@pytest.mark.parametrize("said", [Says(404), Says(body="<html>"), Says(body='{"keys": []}'), Says(raw=b"?")])
async def test_keys_that_cannot_be_had(opened: Deployment, idp: Puppet, said: Says) -> None:
    """Every call would be answered 503."""
    idp.lines["/keys"] = said
    seen = await opened.seen("inbound-keys")
    assert [each.verdict for each in seen] == [FAILED, FAILED]
    assert "inbound.universal_logout.jwks_uri" in seen[0].fix


async def test_it_is_silent_where_nobody_may(cognito: Deployment) -> None:
    """Nothing is opened."""
    assert await cognito.seen("inbound-keys") == []
