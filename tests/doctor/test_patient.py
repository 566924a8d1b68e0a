"""What the checks look at."""

from __future__ import annotations

import pytest

from gateway.config import load
from gateway.doctor.patient import STATE, Discovered, Patient, ahead, ask_provider
from gateway.doctor.probe import Probe
from tests.doctor.deployment import APP, Deployment
from tests.fakes.puppet import Puppet, Says


async def test_the_provider_is_asked_as_the_gateway_asks(cognito: Deployment, idp: Puppet) -> None:
    """Discovery, then keys, and nothing else."""
    discovered = await ask_provider(load(cognito.write(), {}), now=iter((6, 7)).__next__)
    assert discovered.metadata is not None
    assert discovered.keys is not None
    assert (discovered.asked, discovered.received) == (6, 7)
    assert [request.path.rpartition("/")[2] for request in idp.asked] == ["openid-configuration", "jwks.json"]


async def test_it_never_raises(cognito: Deployment, idp: Puppet) -> None:
    """What is wrong is told."""
    settings = load(cognito.write(), {})
    idp.lines["/eu-west-1_pool/jwks.json"] = Says(500)
    assert (await ask_provider(settings, now=lambda: 0)).keys_fault is not None
    idp.lines["/eu-west-1_pool/.well-known/openid-configuration"] = Says(raw=b"?")
    assert (await ask_provider(settings, now=lambda: 0)).fault is not None


@pytest.mark.parametrize(
    ("theirs", "seconds"), [(100, 0), (105, 0), (109, 0), (99, 1), (40, 60), (110, -1), (169, -60)]
)
def test_an_answer_that_takes_long_puts_no_clock_wrong(theirs: int, seconds: int) -> None:
    """Asked at 100, received at 109: what it said between is no difference."""
    assert ahead(theirs, 100, 109) == seconds


def test_hops_are_those_of_the_gateway(cognito: Deployment) -> None:
    """With a made-up nonce where there is one."""
    patient = Patient(settings=load(cognito.write(), {}), discovered=Discovered(), probe=Probe())
    okta, keycloak = patient.hop("okta_signout"), patient.hop("keycloak")
    assert keycloak is None
    assert okta is not None
    assert patient.return_address(okta) == f"{APP}/logout/done/okta_signout/{STATE}"
    assert patient.url(okta).endswith(f"%2F{STATE}")
    assert patient.callback == f"{APP}/oauth2/callback"
