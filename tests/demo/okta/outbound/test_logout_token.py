"""Back-channel logout tokens, for receivers of providers that send them."""

from __future__ import annotations

import pytest

from gateway.demo.okta.outbound.logout_token import LOGOUT_TOKEN
from tests.demo.lab import Lab
from tests.demo.okta.outbound import strict
from tests.demo.receiver import Receiver

GOOD = ("good", "sid_only", "sub_only")
ACCEPTABLE = (*GOOD, "wrong_sub")
"""A token about somebody else is a good one; it ends nothing of the user's."""
ALICE = "00u1alice0demo0000d7"


async def test_a_good_token_names_user_and_session(lab: Lab, receiver: Receiver) -> None:
    """The sid is that of the living session; each of the two may stand alone."""
    await lab.okta_tokens("/oauth2/v1")
    index = next(iter(lab.idp.okta.sessions.values())).index
    for variant in GOOD:
        await lab.idp.sender.send("logout_token", variant=variant)
    known = await strict.keys(lab)

    about = [strict.logout_token(taken, known, lab) for taken in receiver.taken]

    assert about == [{"sub": ALICE, "sid": index}, {"sid": index}, {"sub": ALICE}]
    assert {taken.path for taken in receiver.taken} == {"/oauth2/backchannel-logout"}


@pytest.mark.parametrize("variant", [name for name in LOGOUT_TOKEN.variants if name not in ACCEPTABLE])
async def test_every_other_variant_is_to_be_refused(lab: Lab, receiver: Receiver, variant: str) -> None:
    """By a receiver that goes through the specification step by step."""
    await lab.idp.sender.send("logout_token", variant=variant)

    with pytest.raises(ValueError, match=r"\w"):
        strict.logout_token(receiver.taken[0], await strict.keys(lab), lab)
