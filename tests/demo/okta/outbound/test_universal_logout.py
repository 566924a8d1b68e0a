"""Universal Logout as Okta calls it: good, and in every way that has to be refused."""

from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate

from gateway.demo import keys as demo_keys
from gateway.demo.okta.outbound.universal_logout import UNIVERSAL_LOGOUT
from tests.demo.lab import Lab
from tests.demo.okta.outbound import strict
from tests.demo.receiver import Receiver

ALICE = "00u1alice0demo0000d7"


@pytest.mark.parametrize(
    ("form", "subject"),
    [
        ("email", {"format": "email", "email": "alice@example.com"}),
        ("iss_sub", {"format": "iss_sub", "iss": "OKTA", "sub": ALICE}),
        ("opaque", {"format": "opaque", "id": ALICE}),
    ],
)
async def test_a_good_call_holds_what_the_draft_asks_for(
    lab: Lab, receiver: Receiver, form: str, subject: dict[str, str]
) -> None:
    """Signed by the org's key for the client, in force for five minutes either way; the answer is handed back."""
    receiver.text = "thanks"
    receiver.status = 200
    [answer] = await lab.idp.sender.send("universal_logout", format=form)
    [taken] = receiver.taken
    claims = jwt.decode(taken.bearer, options={"verify_signature": False})

    about = strict.universal_logout(taken, await strict.keys(lab), lab, receiver, "demo-client")
    assert about == {name: value.replace("OKTA", lab.options.okta) for name, value in subject.items()}
    assert (claims["exp"] - claims["iat"], claims["iat"] - claims["nbf"]) == (300, 300)
    assert (answer.status, answer.body) == (200, "thanks")
    assert lab.events[-1].startswith("Okta: sent good universal_logout about alice@example.com to ")


@pytest.mark.parametrize("variant", [name for name in UNIVERSAL_LOGOUT.variants if name != "good"])
async def test_every_other_variant_is_to_be_refused(lab: Lab, receiver: Receiver, variant: str) -> None:
    """By a receiver that checks what the draft and Okta's guide say."""
    await lab.idp.sender.send("universal_logout", variant=variant)
    known = await strict.keys(lab)

    with pytest.raises(ValueError, match=r"\w"):
        strict.universal_logout(receiver.taken[0], known, lab, receiver, "demo-client")


@pytest.mark.parametrize("lab", ["saml"], indirect=True)
async def test_a_saml_application_signs_with_its_certificate(lab: Lab, receiver: Receiver) -> None:
    """No key set has that key; the subject is the application's instance id."""
    await lab.idp.sender.send("universal_logout")
    await lab.idp.sender.send("universal_logout", app="oidc")
    public = load_pem_x509_certificate(demo_keys.certificate("okta saml").encode()).public_key()
    assert isinstance(public, RSAPublicKey)
    audience = f"{receiver.app}/oauth2/global-token-revocation"

    claims = jwt.decode(receiver.taken[0].bearer, public, algorithms=["RS256"], audience=audience)

    assert claims["sub"] == "0oa1cognitosaml00d7"
    with pytest.raises(ValueError, match="KeyError"):
        strict.universal_logout(receiver.taken[0], await strict.keys(lab), lab, receiver, claims["sub"])
    known = await strict.keys(lab)
    assert strict.universal_logout(receiver.taken[1], known, lab, receiver, "0oa1cognito0demo0d7")


async def test_the_audience_has_no_query(lab: Lab, receiver: Receiver) -> None:
    """The address that was configured may have one."""
    await lab.idp.sender.send("universal_logout", to=f"{receiver.app}/oauth2/global-token-revocation?a=b")

    assert strict.universal_logout(receiver.taken[0], await strict.keys(lab), lab, receiver, "demo-client")
