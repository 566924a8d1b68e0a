"""What each hop asks of the browser, to the letter (facts A.5, B.1, B.3, C.1, E.3)."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.signout.evidence import Asked, Evidence
from gateway.oidc.signout.logout import (
    LONGEST,
    AddressTemplate,
    Form,
    HopRequest,
    OidcLogout,
    Redirect,
    Skip,
    hint_in,
    placeholders,
)
from gateway.oidc.signout.sign_outs import ID_TOKEN, FormUse, Without

BACK = "https://app.example.com/logout/done/oidc"
ENDPOINT = "https://id.example.com/session/end"
ASKED = HopRequest(BACK, state="the-state", hint="the-hint", end_session=ENDPOINT)
LOST = HopRequest(BACK, state="the-state", end_session=ENDPOINT)


def asked_of(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query, keep_blank_values=True)


def test_r34_a_form_has_the_same_parameters_and_shows_them_to_nobody() -> None:
    """OpenID Connect's four; neither the request nor what is asked of the browser shows the token in a traceback."""
    act = OidcLogout("client", FormUse.ALWAYS).act(ASKED)
    assert act == Form(
        ENDPOINT,
        (
            ("id_token_hint", "the-hint"),
            ("client_id", "client"),
            ("post_logout_redirect_uri", BACK),
            ("state", "the-state"),
        ),
        Asked.HINT,
    )
    assert "the-hint" not in repr(act)
    assert "the-hint" not in repr(ASKED)
    assert "the-hint" not in repr(OidcLogout("client").act(ASKED))


@pytest.mark.parametrize("form", [FormUse.NEVER, FormUse.LONG])
def test_the_same_stands_in_an_address(form: FormUse) -> None:
    """Encoded, in the same order, behind what the endpoint's address has already."""
    policy = HopRequest(BACK, "the-state", "the-hint", end_session=f"{ENDPOINT}?p=B2C_1_sign_in")
    act = OidcLogout("client", form).act(policy)
    assert act == Redirect(
        f"{ENDPOINT}?p=B2C_1_sign_in&id_token_hint=the-hint&client_id=client"
        "&post_logout_redirect_uri=https%3A%2F%2Fapp.example.com%2Flogout%2Fdone%2Foidc&state=the-state",
        Asked.HINT,
    )


def test_an_address_is_as_long_as_servers_take_or_has_no_hint() -> None:
    """To the byte. Where a form is known to work it takes the hint along; where nothing goes without it, nothing goes."""
    plain = OidcLogout("client")
    (empty, longer) = (HopRequest(BACK, "s", "h" * size, end_session=ENDPOINT) for size in (1, LONGEST))
    short = plain.act(empty)
    assert isinstance(short, Redirect)
    room = LONGEST - len(short.url) + 1
    (fits, exceeds) = (HopRequest(BACK, "s", "h" * size, end_session=ENDPOINT) for size in (room, room + 1))
    act = plain.act(fits)
    assert isinstance(act, Redirect)
    assert (len(act.url), act.how) == (LONGEST, Asked.HINT)
    act = plain.act(exceeds)
    assert isinstance(act, Redirect)
    assert (act.how, asked_of(act.url)[0][0]) == (Asked.HINT_TOO_LONG, "client_id")
    assert isinstance(OidcLogout("client", FormUse.LONG).act(fits), Redirect)
    assert isinstance(OidcLogout("client", FormUse.LONG).act(exceeds), Form)
    assert isinstance(OidcLogout("client", FormUse.ALWAYS).act(longer), Form)
    okta = OidcLogout("client", without=Without.STRANDED)
    assert isinstance(okta.act(fits), Redirect)
    assert okta.act(exceeds) == Skip(Evidence.HINT_TOO_LONG)


AGAIN = HopRequest(BACK, "the-state", "the-hint", published=True, again=True, end_session=ENDPOINT)


@pytest.mark.parametrize("published", [True, None])
@pytest.mark.parametrize("form", list(FormUse))
def test_a_second_try_goes_without_the_hint_where_that_does_no_harm(
    form: FormUse, published: bool | None
) -> None:
    """It may be what the provider stumbled over; who ends nothing without one gets it again."""
    again = replace(AGAIN, published=published)
    act = OidcLogout("client", form, Without.ASKED).act(again)
    assert isinstance(act, Redirect)
    assert act.how is Asked.AGAIN
    assert [name for name, _ in asked_of(act.url)] == ["client_id", "post_logout_redirect_uri", "state"]
    okta = OidcLogout("client", form, Without.STRANDED).act(again)
    assert not isinstance(okta, Skip)
    assert okta.how is Asked.HINT


@pytest.mark.parametrize(("published", "how"), [(True, Asked.HINT), (None, Asked.AGAIN)])
@pytest.mark.parametrize("form", list(FormUse))
def test_a_provider_that_nobody_knows_gets_the_hint_again_while_its_key_is_there(
    form: FormUse, published: bool | None, how: Asked
) -> None:
    """Some show an error page without one; and what a form has stranded is no form the second time."""
    act = OidcLogout("client", form).act(replace(AGAIN, published=published))
    assert isinstance(act, Redirect)
    assert (act.how, "the-hint" in act.url) == (how, how is Asked.HINT)


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("form", list(FormUse))
def test_a_hint_of_a_withdrawn_key_is_never_sent(form: FormUse, again: bool) -> None:
    """It would strand the browser everywhere; who ends nothing without one is not asked."""
    old = replace(AGAIN, published=False, again=again)
    for without in (Without.ASKED, Without.UNCERTAIN):
        act = OidcLogout("client", form, without).act(old)
        assert isinstance(act, Redirect)
        assert (act.how, "the-hint" in act.url) == (Asked.HINT_WITHDRAWN, False)
    assert OidcLogout("client", form, Without.STRANDED).act(old) == Skip(Evidence.HINT_WITHDRAWN)


def test_without_a_hint_the_client_is_named_and_the_provider_asks() -> None:
    """Nothing in it is secret, so it is never a form."""
    act = OidcLogout("client", FormUse.ALWAYS).act(LOST)
    assert isinstance(act, Redirect)
    assert act.how is Asked.NO_HINT
    assert [name for name, _ in asked_of(act.url)] == ["client_id", "post_logout_redirect_uri", "state"]


def test_trap_14_okta_is_not_asked_without_a_hint() -> None:
    """It would answer 400 and keep its session."""
    act = OidcLogout("client", without=Without.STRANDED).act(LOST)
    assert act == Skip(Evidence.NO_HINT)


@pytest.mark.parametrize(
    ("reached", "why"), [(True, Evidence.NO_ENDPOINT), (False, Evidence.ENDPOINT_UNKNOWN)]
)
def test_a_provider_without_the_endpoint_is_skipped_with_the_true_reason(
    reached: bool, why: Evidence
) -> None:
    """That it has none is said only where it was asked."""
    act = OidcLogout("client").act(HopRequest(BACK, hint="the-hint", reached=reached))
    assert act == Skip(why)


def test_a_template_is_filled_in_encoded() -> None:
    """By its names, each as often as it stands there; what looks like a placeholder in a value stays as it is."""
    way = AddressTemplate("https://x.example/out?a={return_to}&c={client_id}&b={return_to}", "{state}&x")
    encoded = "https%3A%2F%2Fapp.example.com%2Flogout%2Fdone%2Foidc"
    assert way.act(ASKED) == Redirect(f"https://x.example/out?a={encoded}&c=%7Bstate%7D%26x&b={encoded}")
    assert not way.echoes_state
    assert AddressTemplate("https://x.example/{state}", "c").echoes_state


@given(st.text(alphabet="{}abreturn_to", max_size=40))
def test_any_text_has_placeholders_or_none(text: str) -> None:
    """Reading them never fails."""
    assert all(isinstance(name, str) for name in placeholders(text))


@pytest.mark.parametrize(
    ("claims", "wanted", "hint"),
    [
        ({}, ID_TOKEN, "the.id.token"),
        ({"sid": "s-1"}, "sid", "s-1"),
        ({}, "sid", None),
        ({"sid": ""}, "sid", None),
        ({"sid": 7}, "sid", None),
        ({"sid": ["s-1"]}, "sid", None),
    ],
)
def test_the_hint_is_the_token_or_a_claim_of_it(
    claims: dict[str, object], wanted: str, hint: str | None
) -> None:
    """A claim that is no text is none."""
    assert hint_in(claims, "the.id.token", wanted) == hint
