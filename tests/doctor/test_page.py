"""Documents and policies of applications, however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.doctor.page import Html, form_action, may_share_a_site, policies_of, uncovered

OWN = "https://app.example.com"
OKTA = "https://example.okta.com"


def test_what_a_document_says() -> None:
    """Scripts, policies in meta elements, and the worker that an inline script registers."""
    page = Html.read(
        "<!doctype html><meta http-equiv='Content-Security-Policy' content=\"form-action 'self'\">"
        '<script src=/oauth2/tab.js async></script><script type=module src="/assets/a.js"></script>'
        "<script>navigator . serviceWorker.register( '/sw.js', {scope: '/'})</script>"
    )
    assert page.scripts == ["/oauth2/tab.js", "/assets/a.js"]
    assert page.policies == ["form-action 'self'"]
    assert page.worker == "/sw.js"


@pytest.mark.parametrize(
    ("text", "worker"),
    [
        ("", None),
        ("<p>serviceWorker</p>", None),
        ("<script>navigator.serviceWorker.register(swUrl)</script>", ""),
        ("<script>navigator.serviceWorker.register('/a\\'b')</script>", ""),
    ],
)
def test_a_worker_whose_name_cannot_be_read_is_one(text: str, worker: str | None) -> None:
    """Its name may be computed."""
    assert Html.read(text).worker == worker


@pytest.mark.parametrize(
    ("policy", "sources"),
    [
        ("default-src 'self'", None),
        ("default-src *; Form-Action 'self' https://a.example", ("'self'", "https://a.example")),
        ("form-action", ()),
        (";;  ; form-action 'none' ;", ("'none'",)),
        ("", None),
    ],
)
def test_form_action_is_found(policy: str, sources: tuple[str, ...] | None) -> None:
    """Nothing stands in for it; an empty list allows nothing."""
    assert form_action(policy) == sources


def test_each_policy_of_a_header_holds_by_itself() -> None:
    """A comma begins another one."""
    assert len(policies_of("form-action 'self', form-action *")) == 2
    assert policies_of("") == []


@pytest.mark.parametrize(
    ("sources", "covered"),
    [
        (["*"], True),
        (["https:"], True),
        (["http:"], False),
        ([OKTA], True),
        ([f"{OKTA}/"], True),
        (["example.okta.com"], True),
        (["*.okta.com"], True),
        (["https://*.okta.com:443"], True),
        (["https://example.okta.com:*"], True),
        (["https://example.okta.com:8443"], False),
        (["*.example.com"], False),
        (["okta.com"], False),
        (["http://example.okta.com"], False),
        (["'self'"], False),
        (["'none'"], False),
        ([], False),
    ],
)
def test_which_sources_match(sources: list[str], covered: bool) -> None:
    """Schemes, wildcards and ports, as browsers match them."""
    assert (uncovered(sources, [OKTA], OWN) == []) is covered
    assert uncovered(["'self'"], [OWN], OWN) == []


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("app.example.com", "auth.example.com", "example.com"),
        ("app.example.com", "example.auth.eu-west-1.amazoncognito.com", ""),
        ("app.example.com", "app.example.com", "app.example.com"),
        ("a.localhost", "b.localhost", ""),
        ("a.co.uk", "b.co.uk", "co.uk"),
    ],
)
def test_domains_in_common(one: str, other: str, shared: str) -> None:
    """Two labels may be a public suffix: it is a "may"."""
    assert may_share_a_site(one, other) == shared


@given(st.text(), st.lists(st.text(max_size=30), max_size=5))
def test_nothing_a_document_or_policy_says_raises(text: str, sources: list[str]) -> None:
    """Both are foreign."""
    Html.read(text)
    Html.read(f"<meta http-equiv=content-security-policy content='{text}'><script src='{text}'>")
    for policy in policies_of(text):
        form_action(policy)
    uncovered([*sources, text], [OKTA, OWN], OWN)
