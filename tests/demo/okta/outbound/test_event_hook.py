"""Event hooks as Okta posts them."""

from __future__ import annotations

import json

import pytest

from tests.demo.lab import Lab
from tests.demo.receiver import Receiver


async def test_a_sign_out_is_told_with_the_secret(lab: Lab, receiver: Receiver) -> None:
    """The user is the actor, and the session is the one that sid named."""
    await lab.okta_tokens("/oauth2/v1")
    index = next(iter(lab.idp.okta.sessions.values())).index

    await lab.idp.sender.send("event_hook")

    [taken] = receiver.taken
    [event] = taken.json()["data"]["events"]
    assert (taken.method, taken.path) == ("POST", "/oauth2/okta-events")
    assert taken.headers["Authorization"] == "demo-event-hook-secret"
    assert (event["eventType"], event["actor"]["alternateId"]) == ("user.session.end", "alice@example.com")
    assert event["authenticationContext"]["externalSessionId"] == index


async def test_what_an_administrator_does_has_the_user_as_target(lab: Lab, receiver: Receiver) -> None:
    """Several events come in one call, in order."""
    names = ["user.session.clear", "user.lifecycle.suspend"]
    await lab.idp.sender.send("event_hook", events=names, user="bob@example.com")

    events = receiver.taken[0].json()["data"]["events"]
    assert [event["eventType"] for event in events] == names
    assert {event["actor"]["alternateId"] for event in events} == {"admin@example.com"}
    assert [target["alternateId"] for event in events for target in event["target"]] == [
        "bob@example.com"
    ] * 2
    assert events[0]["uuid"] != events[1]["uuid"]


@pytest.mark.parametrize(("secret", "sent"), [("wrong", "not-the-secret"), ("missing", None)])
async def test_the_secret_may_be_wrong_or_missing(
    lab: Lab, receiver: Receiver, secret: str, sent: str | None
) -> None:
    """As an attacker's would be."""
    await lab.idp.sender.send("event_hook", secret=secret)

    assert receiver.taken[0].headers.get("Authorization") == sent


async def test_a_hook_is_verified_by_a_challenge(lab: Lab, receiver: Receiver) -> None:
    """One GET with the value to give back."""
    receiver.status = 200
    await lab.idp.sender.send("event_hook", variant="challenge")

    [taken] = receiver.taken
    assert taken.method == "GET"
    assert taken.headers["x-okta-verification-challenge"]
    assert taken.body == ""


async def test_with_the_switch_on_every_sign_out_is_told(lab: Lab, receiver: Receiver) -> None:
    """Without anybody asking, as a registered hook is."""
    lab.set(event_hook=True)
    await lab.okta_tokens("/oauth2/v1")
    index = next(iter(lab.idp.okta.sessions.values())).index

    await lab.browser.get(f"{lab.options.okta}/login/signout")
    await lab.idp.post.close()

    [event] = receiver.taken[0].json()["data"]["events"]
    assert event["eventType"] == "user.session.end"
    assert event["authenticationContext"]["externalSessionId"] == index


async def test_spoiled_hooks(lab: Lab, receiver: Receiver) -> None:
    """No JSON, nobody named, and an event of yesterday."""
    for variant in ("malformed_body", "no_user", "late"):
        await lab.idp.sender.send("event_hook", events=["user.session.clear"], variant=variant)
    malformed, nobody, late = receiver.taken

    with pytest.raises(json.JSONDecodeError):
        malformed.json()
    assert nobody.json()["data"]["events"][0]["target"] == []
    assert late.json()["data"]["events"][0]["published"] < late.json()["eventTime"]
