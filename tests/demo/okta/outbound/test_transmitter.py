"""Okta as a transmitter of shared signals: the stream's API, push and poll."""

from __future__ import annotations

import asyncio
from typing import Any

import jwt
import pytest

from gateway.demo.okta.transmitter import TOKEN
from tests.demo.lab import Lab
from tests.demo.okta.outbound import strict
from tests.demo.receiver import Receiver

REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
PUSH, POLL = "urn:ietf:rfc:8935", "urn:ietf:rfc:8936"


async def call(lab: Lab, method: str, path: str, body: object = None, token: str = TOKEN) -> tuple[int, Any]:
    url = path if path.startswith("http") else f"{lab.options.okta}/api/v1/ssf{path}"
    headers = {"Authorization": f"Bearer {token}"}
    async with lab.browser.session.request(method, url, json=body, headers=headers) as response:
        return response.status, await response.json(content_type=None) if response.status != 204 else None


def wish(lab: Lab, method: str = PUSH, **delivery: str) -> dict[str, object]:
    endpoint = {"endpoint_url": f"{lab.options.app}/oauth2/security-events"} if method == PUSH else {}
    return {"events_requested": [REVOKED, "urn:x"], "delivery": {"method": method, **endpoint, **delivery}}


async def sign_out(lab: Lab) -> None:
    """alice signs in at Okta and out again."""
    await lab.okta_tokens("/oauth2/v1")
    await lab.browser.get(f"{lab.options.okta}/login/signout")


async def test_its_metadata_leads_to_every_endpoint(lab: Lab) -> None:
    """Okta's early draft, or 1.0 by the switch."""
    url = f"{lab.options.okta}/.well-known/ssf-configuration"
    _, early = await call(lab, "GET", url)
    lab.set(ssf_shape="final")
    _, final = await call(lab, "GET", url)

    assert (early["spec_version"], final["spec_version"]) == ("1_0-ID3", "1_0")
    assert (final["issuer"], final["jwks_uri"]) == (lab.options.okta, f"{lab.options.okta}/oauth2/v1/keys")
    for name, method in (
        ("configuration_endpoint", "GET"),
        ("status_endpoint", "GET"),
        ("verification_endpoint", "POST"),
    ):
        status, said = await call(lab, method, final[name])
        assert (status, said["errorSummary"]) == (404, "there is no such stream")


async def test_a_sign_out_is_pushed_with_the_receivers_own_authorization(
    lab: Lab, receiver: Receiver
) -> None:
    """One event, about the user, in the shape that is switched on."""
    receiver.status = 202
    status, stream = await call(lab, "POST", "/stream", wish(lab, authorization_header="Bearer mine"))
    await sign_out(lab)
    await lab.idp.post.close()

    assert status == 201
    assert stream["events_delivered"] == [REVOKED]
    [taken] = receiver.taken
    name, subject, _ = strict.security_event(taken, await strict.keys(lab), lab)
    assert (name, subject["sub"]) == ("session-revoked", "00u1alice0demo0000d7")
    assert taken.headers["Authorization"] == "Bearer mine"


async def test_events_wait_to_be_fetched_and_acknowledged(lab: Lab, receiver: Receiver) -> None:
    """They stay until they are acknowledged, or refused, and come in portions."""
    lab.set(ssf_shape="final")
    _, stream = await call(lab, "POST", "/stream", wish(lab, POLL))
    poll = stream["delivery"]["endpoint_url"]
    for _ in range(3):
        await sign_out(lab)

    _, first = await call(lab, "POST", poll, {"maxEvents": 1, "returnImmediately": True})
    [(jti, token)] = first["sets"].items()
    assert first["moreAvailable"] is True
    assert jwt.decode(token, options={"verify_signature": False})["jti"] == jti
    _, rest = await call(lab, "POST", poll, {"ack": [jti]})
    assert (len(rest["sets"]), jti in rest["sets"], rest["moreAvailable"]) == (2, False, False)
    refused = {name: {"err": "invalid_request"} for name in rest["sets"]}
    assert await call(lab, "POST", poll, {"setErrs": refused}) == (200, {"sets": {}, "moreAvailable": False})
    assert receiver.taken == []


async def test_a_stream_is_verified_with_the_receivers_state(lab: Lab, receiver: Receiver) -> None:
    """The event names the stream and gives the state back."""
    lab.set(ssf_shape="final")
    _, stream = await call(lab, "POST", "/stream", wish(lab))
    body = {"stream_id": stream["stream_id"], "state": "s-1"}

    assert (await call(lab, "POST", "/stream/verification", body))[0] == 204
    await lab.idp.post.close()

    claims = jwt.decode(receiver.taken[0].body, options={"verify_signature": False})
    assert claims["sub_id"] == {"format": "opaque", "id": stream["stream_id"]}
    [event] = claims["events"].values()
    assert event["state"] == "s-1"


async def test_a_paused_stream_keeps_and_a_disabled_one_drops(lab: Lab, receiver: Receiver) -> None:
    """As SSF 1.0 defines the two."""
    _, stream = await call(lab, "POST", "/stream", wish(lab))
    stream_id = stream["stream_id"]
    for status in ("disabled", "paused"):
        answer = await call(lab, "POST", "/stream/status", {"stream_id": stream_id, "status": status})
        assert answer == (200, {"stream_id": stream_id, "status": status})
        await sign_out(lab)
    await asyncio.sleep(0)

    _, waiting = await call(lab, "POST", f"/poll/{stream_id}")
    assert len(waiting["sets"]) == 1
    assert receiver.taken == []
    assert (await call(lab, "GET", f"/stream/status?stream_id={stream_id}"))[1]["status"] == "paused"


async def test_there_is_one_stream_which_can_be_changed_and_deleted(lab: Lab) -> None:
    """A second one is a conflict; without one everything is 404."""
    _, stream = await call(lab, "POST", "/stream", wish(lab))
    stream_id = stream["stream_id"]

    assert (await call(lab, "POST", "/stream", wish(lab)))[0] == 409
    assert (await call(lab, "GET", "/stream"))[1] == stream
    _, changed = await call(lab, "PUT", "/stream", wish(lab, POLL) | {"stream_id": stream_id})
    assert (changed["stream_id"], changed["delivery"]["method"]) == (stream_id, POLL)
    assert (await call(lab, "DELETE", "/stream?stream_id=other"))[0] == 404
    assert (await call(lab, "DELETE", f"/stream?stream_id={stream_id}"))[0] == 204
    assert (await call(lab, "GET", "/stream"))[0] == 404
    await call(lab, "POST", "/stream", wish(lab))
    lab.idp.control.okta.reset()
    assert (await call(lab, "GET", "/stream"))[0] == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/stream", []),
        ("/stream", {}),
        ("/stream", {"delivery": {"method": "carrier-pigeon"}, "events_requested": []}),
        (
            "/stream",
            {"delivery": {"method": PUSH, "endpoint_url": "http://192.0.2.1/"}, "events_requested": []},
        ),
    ],
)
async def test_streams_that_cannot_be_are_refused(lab: Lab, path: str, body: object) -> None:
    """Among them one to another machine."""
    assert (await call(lab, "POST", path, body))[0] == 400


async def test_statuses_and_polls_that_make_no_sense_are_refused(lab: Lab) -> None:
    """400, and the stream stays as it is."""
    _, stream = await call(lab, "POST", "/stream", wish(lab))
    assert (await call(lab, "POST", "/stream/status", {"status": "asleep"}))[0] == 400
    assert (await call(lab, "POST", f"/poll/{stream['stream_id']}", {"ack": "all"}))[0] == 400
    assert (await call(lab, "GET", "/stream/status"))[1]["status"] == "enabled"


async def test_the_client_must_name_itself(lab: Lab) -> None:
    """401 with any other token."""
    assert (await call(lab, "GET", "/stream", token="guess"))[0] == 401
