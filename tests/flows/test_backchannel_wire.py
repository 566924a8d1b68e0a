"""Back-channel logout on the wire: what is refused, what may come again, and what nobody asks for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.browser import Browser
from tests.fakes.door import eventually
from tests.fakes.forge import ABSENT
from tests.fakes.patience import PATIENCE
from tests.flows.backchannel import FORM, OPEN, PATH, beside, form, patient, posted, sent, status, subject
from tests.flows.conftest import Stand, standing
from tests.flows.inbound import blocked
from tests.flows.raw import exchange, request

REFUSED = [
    "unknown_kid",  # first, as long as fresh keys are due: a signature of another key uses that up
    *("wrong_iss", "wrong_aud", "no_jti", "expired", "too_old", "from_the_future", "alg_none"),
    *(
        "hs256_with_the_public_key",
        "wrong_key",
        "neither_sub_nor_sid",
        "with_nonce",
        "no_events",
    ),
    *("other_event", "event_is_no_object", "an_id_token"),
    *("given_twice", "no_logout_token", "wrong_content_type"),
]


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """The gateway signs in at Okta directly, whose emulator sends what Keycloak would."""
    async with standing(tmp_path, federation="okta", replaced=OPEN) as running:
        yield patient(running)


@pytest.fixture
async def alice(stand: Stand) -> Browser:
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    return browser


async def test_the_answer_is_empty_and_never_stored(stand: Stand, alice: Browser) -> None:
    """Back-Channel Logout 1.0 §2.8; a refusal says why, in JSON."""
    token = form(stand)
    code, headers, body = await posted(stand, token)
    assert (code, body, headers["cache-control"]) == (200, b"", "no-store")
    assert "set-cookie" not in headers
    code, headers, body = await posted(stand, b"logout_token=nonsense")
    assert (code, headers["cache-control"], headers["content-type"]) == (400, "no-store", "application/json")
    assert json.loads(body)["error"] == "invalid_request"
    assert json.loads(body)["error_description"].startswith("form: ")


async def test_hostile_variants_end_nothing(stand: Stand, alice: Browser) -> None:
    """Each is refused, and leaves no entry."""
    position = stand.gateway.log.index.position
    seen = {variant: await sent(stand, variant) for variant in REFUSED}
    assert seen == {variant: [400] for variant in REFUSED}
    assert stand.gateway.log.index.position == position
    assert await status(stand, alice.cookie_header(stand.app)) == 200


async def test_no_rule_for_browsers_is_in_the_way(stand: Stand, alice: Browser) -> None:
    """R8 is about cookies, of which none is looked at; which host is meant is asked all the same."""
    token = form(stand, sub=ABSENT, sid="x")
    strange = (
        FORM,
        "Origin: https://elsewhere.example",
        "Sec-Fetch-Site: cross-site",
        "Cookie: __Host-session=junk",
    )
    assert (await posted(stand, token, *strange))[0] == 200
    assert (await posted(stand, token, host="elsewhere.example"))[0] == 421
    (answer,) = await exchange(stand, request(stand, f"GET {PATH} HTTP/1.1"))
    assert (answer.status, answer.value(b"allow")) == (405, b"POST")


NO_FORMS = [
    *(b"", b"logout_token=", b"logout_token=%ff", b"logout_token=\xff", b"logout_token=a&logout%5ftoken=b"),
    *(b"&" * 100 + b"logout_token=x", b"=" * 60_000, b"a=&" * 100),
]


async def test_forms_that_are_none_are_refused(stand: Stand) -> None:
    """Never an error of ours; more than 64 KiB are not read."""
    assert [(await posted(stand, body))[0] for body in NO_FORMS] == [400] * len(NO_FORMS)
    code, headers, _ = await posted(stand, b"logout_token=" + b"a" * 70_000)
    assert (code, headers["connection"]) == (413, "close")


async def test_other_parameters_and_a_charset_are_no_fault(stand: Stand, alice: Browser) -> None:
    """§2.5 lets the body hold other values."""
    more = b"client_id=x&" + form(stand, sub=ABSENT, sid="x")
    assert (await posted(stand, more, f"{FORM}; charset=UTF-8"))[0] == 200


async def test_r05_what_the_log_cannot_hold_is_not_acknowledged(
    stand: Stand, alice: Browser, tmp_path: Path
) -> None:
    """Dead here at once, 503 to the provider; the same token is a success once the log has it."""
    token = form(stand, sid=ABSENT, sub=await subject(stand))
    patient(stand, 0.25)
    with blocked(tmp_path):
        code, headers, body = await posted(stand, token)
        assert (code, headers["retry-after"], headers["cache-control"]) == (503, "5", "no-store")
        assert json.loads(body) == {"error": "temporarily_unavailable"}
        assert await status(stand, alice.cookie_header(stand.app)) == 401
    await eventually(lambda: not patient(stand).gateway.log.pending, seconds=PATIENCE)
    assert (await posted(stand, token))[0] == 200
    told = stand.gateway.metrics.exposition().decode()
    assert 'gateway_inbound_total{result="not_durable",way="backchannel"} 1.0' in told


async def test_a_flood_of_unknown_keys_does_not_lose_a_true_token(stand: Stand, alice: Browser) -> None:
    """While fresh keys are not due, an unknown id may be the provider's new key: that is no refusal."""
    assert await sent(stand, "unknown_kid") == [400]
    assert await sent(stand, "unknown_kid") == [503]
    assert await sent(stand) == [200]


async def test_without_keys_nothing_is_decided(stand: Stand, tmp_path: Path) -> None:
    """The provider is away, so nobody can say whether the token is good: it may come again."""
    token = form(stand)
    await stand.idp.close()
    async with beside(stand, tmp_path / "gateway.yaml") as (other, stand.port):
        code, headers, body = await posted(stand, token)
        assert (code, headers["retry-after"]) == (503, "5")
        assert json.loads(body) == {"error": "temporarily_unavailable"}
        assert 'result="no_keys",way="backchannel"} 1.0' in other.metrics.exposition().decode()


async def test_it_is_closed_unless_it_is_asked_for(tmp_path: Path) -> None:
    """404 without the key; nothing of it is there."""
    async with standing(tmp_path, federation="okta") as stand:
        assert (await posted(stand, b"logout_token=x"))[0] == 404
