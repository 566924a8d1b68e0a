"""Security event tokens in both shapes."""

from __future__ import annotations

import time

import jwt
import pytest

from gateway.demo.okta.outbound.security_event import SECURITY_EVENT
from tests.demo.lab import Lab
from tests.demo.okta.outbound import strict
from tests.demo.receiver import Receiver

GOOD = ("good", "no_exp")
ALICE = "00u1alice0demo0000d7"


@pytest.mark.parametrize("shape", ["okta", "final"])
@pytest.mark.parametrize("event", ["session-revoked", "credential-change", "account-disabled"])
async def test_a_good_event_about_a_user(lab: Lab, receiver: Receiver, shape: str, event: str) -> None:
    """One event, its subject by Okta's user id, its time now."""
    await lab.idp.sender.send("security_event", events=[event], shape=shape)
    [taken] = receiver.taken

    name, subject, at = strict.security_event(taken, await strict.keys(lab), lab)

    assert (name, subject) == (event, {"format": "iss_sub", "iss": lab.options.okta, "sub": ALICE})
    assert abs(at - time.time()) < 300
    assert taken.path == "/oauth2/security-events"


async def test_the_shapes_differ_in_where_the_subject_is_and_how_time_is_counted(
    lab: Lab, receiver: Receiver
) -> None:
    """Okta: inside the event, milliseconds. SSF 1.0: at the top, seconds."""
    for shape in ("okta", "final"):
        await lab.idp.sender.send("security_event", shape=shape)
    okta, final = (jwt.decode(taken.body, options={"verify_signature": False}) for taken in receiver.taken)

    assert "sub_id" not in okta
    assert "subject" not in next(iter(final["events"].values()))
    assert okta["events"].keys() == final["events"].keys()
    assert next(iter(okta["events"].values()))["event_timestamp"] > 1e12
    assert next(iter(final["events"].values()))["event_timestamp"] < 1e10


@pytest.mark.parametrize("form", ["email", "opaque", "complex"])
async def test_other_subjects(lab: Lab, receiver: Receiver, form: str) -> None:
    """By address, by a bare id, and as user and session together."""
    await lab.okta_tokens("/oauth2/v1")
    await lab.idp.sender.send("security_event", shape="final", format=form)

    _, subject, _ = strict.security_event(receiver.taken[0], await strict.keys(lab), lab)

    assert subject["format"] == form
    if form == "complex":
        assert subject["session"]["id"] == next(iter(lab.idp.okta.sessions.values())).index


@pytest.mark.parametrize("event", ["verification", "stream-updated"])
async def test_events_about_the_stream(lab: Lab, receiver: Receiver, event: str) -> None:
    """They are about the stream and nobody's session."""
    await lab.idp.sender.send("security_event", events=[event], shape="final")

    name, subject, _ = strict.security_event(receiver.taken[0], await strict.keys(lab), lab)

    assert (name, subject["format"]) == (event, "opaque")


@pytest.mark.parametrize("shape", ["okta", "final"])
@pytest.mark.parametrize("variant", [name for name in SECURITY_EVENT.variants if name not in GOOD])
async def test_every_other_variant_is_to_be_refused(
    lab: Lab, receiver: Receiver, shape: str, variant: str
) -> None:
    """`no_exp` is how these tokens are; the rest a receiver refuses."""
    event = "verification" if variant == "unasked_state" else "session-revoked"
    await lab.idp.sender.send("security_event", events=[event], shape=shape, variant=variant)

    with pytest.raises(ValueError, match=r"\w"):
        strict.security_event(receiver.taken[0], await strict.keys(lab), lab)


async def test_several_events_in_one_token_and_events_nobody_knows(lab: Lab, receiver: Receiver) -> None:
    """Both are refused, or passed over, by a receiver of SSF 1.0."""
    await lab.idp.sender.send("security_event", events=["session-revoked", "account-disabled"])
    await lab.idp.sender.send("security_event", events=["unheard-of"])

    for taken in receiver.taken:
        with pytest.raises(ValueError, match=r"\w"):
            strict.security_event(taken, await strict.keys(lab), lab)
