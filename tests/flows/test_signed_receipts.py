"""Receipts of sign-outs, signed and verifiable by anybody (``logout.receipt_key_file``)."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest
import structlog

from gateway.oidc.signout.signed_receipt import ReceiptKey, keys_from_pem
from gateway.telemetry.log import configure
from gateway.telemetry.receipt_log import ReceiptLog, lines_of
from tests.fakes.browser import Browser
from tests.flows.conftest import Stand, standing

KEY = ReceiptKey.new()
SIGNING = {"logout:\n": "logout:\n  receipt_key_file: receipt.pem\n"}


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """A gateway that signs."""
    (tmp_path / "receipt.pem").touch(mode=0o600)
    (tmp_path / "receipt.pem").write_text(KEY.pem)
    async with standing(tmp_path, replaced=SIGNING) as running:
        yield running


async def read(stand: Stand, token: str) -> dict[str, object]:
    """Verified as somebody does who knows nothing but the published key set."""
    published = await stand.browser().fetch(f"{stand.app}/oauth2/receipt-keys")
    assert published.status == 200
    assert published.header("Cache-Control") == "no-store"
    keys = {key.key_id: key.key for key in jwt.PyJWKSet.from_dict(json.loads(published.text)).keys}
    claims: dict[str, object] = jwt.decode(
        token, keys[jwt.get_unverified_header(token)["kid"]], algorithms=["ES256"]
    )
    return claims


async def receipt(stand: Stand, browser: Browser) -> dict[str, object]:
    answer = await browser.fetch(f"{stand.app}/logged-out", Accept="application/json")
    found: dict[str, object] = json.loads(answer.text)
    return found


async def test_the_user_gets_a_signed_copy_of_what_the_audit_trail_has(
    stand: Stand, browser: Browser
) -> None:
    """Who signed out, of what, and which hop was seen to return; the same in both, under one id."""
    await stand.sign_in(browser, "/api/me")
    await stand.sign_out(browser)
    copy = await read(stand, str((await receipt(stand, browser))["receipt"]))
    started, finished = [await read(stand, event.receipt or "") for event in stand.audit if event.logout]

    assert copy["iss"] == stand.app
    assert copy["sub_id"] == {
        "format": "iss_sub",
        "iss": stand.idp.options.issuer,
        "sub": stand.audit[0].subject,
    }
    assert copy["user"] == "alice@example.com"
    assert copy["session"] == stand.audit[0].session
    hops = copy["hops"]
    assert isinstance(hops, list)
    assert [(hop["hop"], hop["status"]) for hop in hops] == [
        ("cognito", "returned"),
        ("okta_signout", "returned"),
    ]
    assert {name: said for name, said in finished.items() if name not in {"run", "number"}} == copy
    assert (started["logout"], started["state"], started["how"]) == (copy["logout"], "started", "post")
    assert (started["number"], finished["number"]) == (1, 2)


async def test_a_sign_out_under_way_has_no_copy_to_show(stand: Stand, browser: Browser) -> None:
    """Nothing is finished; the audit trail has what was started."""
    await stand.sign_in(browser, "/api/me")
    await stand.sign_out(browser, until=stand.okta)
    assert "receipt" not in await receipt(stand, browser)
    assert [event.receipt is not None for event in stand.audit if event.logout] == [True]


async def test_pressed_twice_the_receipt_still_names_who_signed_out(stand: Stand, browser: Browser) -> None:
    """The second answer carries no session any more."""
    await stand.sign_in(browser, "/api/me")
    await stand.sign_out(browser, until=stand.cognito)
    await stand.sign_out(browser)
    copy = await read(stand, str((await receipt(stand, browser))["receipt"]))
    assert (copy["user"], copy["session"]) == ("alice@example.com", stand.audit[0].session)


async def test_nobody_s_sign_out_is_signed_as_nobody_s(stand: Stand, browser: Browser) -> None:
    """Without a session the chain is walked, and no name is invented."""
    await browser.goto(f"{stand.app}/api/me", until=stand.cognito)
    await stand.sign_out(browser)
    copy = await read(stand, str((await receipt(stand, browser))["receipt"]))
    assert {"user", "sub_id", "session"} & set(copy) == set()


@pytest.mark.usefixtures("looked_at_by_hand")
async def test_a_new_key_is_taken_in_and_published(stand: Stand, browser: Browser, tmp_path: Path) -> None:
    """Like the other key files; what cannot be used leaves the former in force."""
    (tmp_path / "receipt.pem").write_text("-----BEGIN PRIVATE KEY-----")
    for watched in stand.gateway.watched:
        await watched.look()
    assert "receipt.pem" in stand.gateway.health()["receipt_key"]
    new = ReceiptKey.new()
    (tmp_path / "receipt.pem").write_text(new.pem)
    for watched in stand.gateway.watched:
        await watched.look()
    await stand.sign_in(browser, "/api/me")
    await stand.sign_out(browser)
    token = str((await receipt(stand, browser))["receipt"])
    assert jwt.get_unverified_header(token)["kid"] == new.public.kid
    assert (await read(stand, token))["state"] == "finished"


async def test_the_log_of_a_running_gateway_is_good(stand: Stand, browser: Browser) -> None:
    """Sign-outs that finish, that nobody is signed in for, and that are left half-way: nothing but notes."""
    text = io.StringIO()
    configure(stream=text)
    try:
        for _ in range(2):
            await stand.sign_in(browser, "/api/me")
            await stand.sign_out(browser)
        await stand.sign_out(browser)
        left = stand.browser()
        await stand.sign_in(left, "/api/me", user="bob@example.com")
        await stand.sign_out(left, until=stand.okta)
    finally:
        structlog.reset_defaults()

    book = ReceiptLog(keys_from_pem(KEY.pem))
    found = list(book.examine(lines_of(io.BytesIO(text.getvalue().encode()))))
    assert [finding.what for finding in found] == ["this sign-out never finished in this log"]
    assert found[0].note
    assert (book.receipts, book.sign_outs, book.unread) == (7, 4, 0)


async def test_without_a_key_nothing_is_signed_or_published(tmp_path: Path) -> None:
    """The lines are there as before."""
    async with standing(tmp_path) as stand:
        browser = stand.browser()
        await stand.sign_in(browser, "/api/me")
        await stand.sign_out(browser)
        assert "receipt" not in await receipt(stand, browser)
        assert (await browser.fetch(f"{stand.app}/oauth2/receipt-keys")).status == 404
        assert [event.receipt for event in stand.audit if event.logout] == [None, None]
