"""No page of ours is a dead end, and none offers a way that leads in a circle."""

from __future__ import annotations

import re

import pytest

from gateway.core.http.facts import DoorRules, RequestFacts, build
from gateway.web.pages.catalogue import MESSAGES, message
from gateway.web.pages.errors import refuse
from gateway.web.pages.offers import APPLICATION, OWN_FORM, PASSING, TRY_AGAIN, offers_for, other_account
from gateway.web.statuses import SPECIAL, STATUSES
from tests.web.page_samples import SAMPLES

RULES = DoorRules("https", frozenset({"app.example.com"}))
IN_WORDS = {
    "ambiguous_header", "malformed_request", "headers_too_large",  # what the browser sends would come again
    "unknown_host",  # another address has to be typed, and a page of ours does not know of which site
    "tls_failed",  # nobody but who runs the site can do anything
}  # fmt: skip
DOCUMENTS = {
    "not_ready", "no_token_configured", "wrong_token", "not_json", "not_understood", "token_rejected", "unknown_key",
    "no_challenge", "wrong_secret", "malformed_delivery", "not_durable",
}  # fmt: skip
"""Reasons that only programs hear."""
PAGES = {
    "login_required": "form-unsent", "logout_in_progress": "waiting", "cookies_blocked": "cookies-blocked",
    "login_loop": "login-loop", "session_too_large": "oversized",
}  # fmt: skip
CONTROL = re.compile(r"<a [^>]*href=|<button ")
SOON = re.compile(r"in a (moment|few seconds)")


def navigation(target: str = "/reports/7?year=2026", method: str = "GET") -> RequestFacts:
    headers = [(b"Host", b"app.example.com"), (b"Sec-Fetch-Mode", b"navigate"), (b"Accept", b"text/html")]
    return build(method, target, headers, "192.0.2.1", RULES)


@pytest.mark.parametrize("reason", STATUSES)
def test_each_refusal_has_a_next_step(reason: str) -> None:
    """Something to press on the page of every status, or it is known why only words can help; never both none."""
    body = refuse(navigation(), reason).body.decode()
    assert bool(CONTROL.search(body)) == (reason not in IN_WORDS)
    assert len(message(f"reason.{reason}.fix").split()) > 1


def test_each_page_of_its_own_has_a_next_step() -> None:
    """The whole table of statuses is pages with something to press, and documents that no person gets."""
    assert set(PAGES) | DOCUMENTS == set(SPECIAL)
    without = {name for name, make in SAMPLES.items() if not CONTROL.search(make().body.decode())}
    assert without == {f"refused-{reason}" for reason in IN_WORDS}
    assert set(PAGES.values()) <= set(SAMPLES)


@pytest.mark.parametrize("reason", STATUSES)
def test_no_refusal_offers_what_leads_to_it_again(reason: str) -> None:
    """The same address only where it may answer otherwise, the application's first page only from elsewhere."""
    for target in ("/", "/reports/7?year=2026"):
        offers = offers_for(reason, navigation(target))
        again = [offer for offer in offers if offer.to in {"", target}]
        may_pass = reason in PASSING | {"broken_response", "internal", "provider"}
        assert not again or again == [TRY_AGAIN] or target == "/"
        assert (TRY_AGAIN in offers) == may_pass
        assert not (APPLICATION in offers and target == "/")


def test_what_was_posted_is_not_offered_to_be_fetched() -> None:
    """A form that met a failure is sent again by the browser's own means; its address may answer no GET."""
    assert offers_for("connect_failed", navigation(method="POST")) == (APPLICATION,)


def test_what_is_permanent_never_says_in_a_moment() -> None:
    """Only what passes by itself says so, or has a Retry-After."""
    soon = {name for name, text in MESSAGES.items() if SOON.search(text)}
    assert soon == {
        *(f"reason.{reason}.fix" for reason in PASSING), "reason.provider.fix", "reason.sign_in_refused.passing_fix",
    }  # fmt: skip
    for reason in STATUSES:
        assert ("Retry-After" in refuse(navigation(), reason).headers) == (reason in PASSING)


def test_another_account_begins_with_a_sign_out() -> None:
    """By a form, because it ends something, and with the way back as one parameter whatever is in it."""
    offer = other_account("/reports?a=1&via=x#y")
    assert (offer.posts, offer.to) == (True, f"{OWN_FORM}&switch=/reports%3Fa%3D1%26via%3Dx%23y")
    assert offers_for("denied", None)[0].to.endswith("&switch=/")
