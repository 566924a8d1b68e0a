"""A provider that says what a test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.doctor import bypass
from gateway.state.redis import server
from tests.doctor.deployment import Deployment
from tests.fakes.ample import ample_for_the_others, ample_unless_it_stalls  # noqa: F401 - how fast a machine is decides no test
from tests.fakes.patience import PATIENCE
from tests.fakes.puppet import Puppet, puppet


@pytest.fixture(autouse=True)
def patient_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked has time to answer."""
    monkeypatch.setattr(bypass, "WITHIN", PATIENCE)
    monkeypatch.setattr(server, "EXAMINE_WITHIN", PATIENCE)


@pytest.fixture
async def idp() -> AsyncIterator[Puppet]:
    """Nothing is there at first."""
    async with puppet() as made:
        yield made


@pytest.fixture
def cognito(tmp_path: Path, idp: Puppet) -> Deployment:
    """Cognito with Okta behind it."""
    return Deployment.cognito(tmp_path, idp)


@pytest.fixture
def openid(tmp_path: Path, idp: Puppet) -> Deployment:
    """An OpenID provider."""
    return Deployment.openid(tmp_path, idp)
