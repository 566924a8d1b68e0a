"""Logout tokens, honest and hostile, against one published key."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import GatewayError, ProviderError
from gateway.core.session.revocation_keys import isid_key, subject_key, token_key
from gateway.oidc.jose.jwks import parse_key_set
from gateway.oidc.jose.signed_token import LEEWAY
from gateway.oidc.signin.id_token import Expected, verify_id_token
from gateway.oidc.signout.logout_token import MAX_AGE, LogoutToken, verify_logout_token
from tests.fakes.forge import ABSENT, CLIENT, ISSUER, NOW, Forge, rsa_key
from tests.fakes.logout_tokens import EVENT, LIES, logout_claims, logout_token
from tests.oidc.documents import json_answer
from tests.oidc.test_fuzz import UNHURRIED, json_values

KEYS = parse_key_set(json_answer({"keys": [rsa_key("id").jwk()]}))
HONEST = logout_token(Forge(), jti="one")


def verify(token: str, now: int = NOW) -> LogoutToken:
    return verify_logout_token(token, keys=KEYS, issuer=ISSUER, client_id=CLIENT, now=now)


def test_a_session_is_ended_by_its_name_at_the_provider() -> None:
    """Whoever's it is: with both, the session counts (Back-Channel Logout 1.0 §2.7)."""
    found = verify(HONEST)
    assert found.keys == (isid_key(ISSUER, "session-at-the-provider"),)
    assert (found.key, found.issued_at) == (token_key(ISSUER, "one"), NOW)
    assert verify(logout_token(Forge(), sub=ABSENT)).keys == found.keys


def test_without_a_session_all_of_the_subject_are_ended() -> None:
    """§2.7 again."""
    assert verify(logout_token(Forge(), sid=ABSENT)).keys == (subject_key(ISSUER, "alice-sub"),)


@pytest.mark.parametrize("typ", ["logout+jwt", "LOGOUT+JWT", "application/logout+jwt", "JWT", ABSENT])
def test_the_types_that_providers_send_pass(typ: Any) -> None:
    """Of logout tokens, of tokens in general, or none."""
    assert verify(logout_token(Forge(), header={"typ": typ})).subject == "alice-sub"


@pytest.mark.parametrize(
    "more", [{"aud": ["other", CLIENT]}, {"events": {EVENT: {"x": 1}, "y": 2}}, {"x": []}]
)
def test_what_the_specification_allows_besides_passes(more: dict[str, Any]) -> None:
    """Several audiences, members of the event, other events, other claims."""
    assert verify(logout_token(Forge(), **more)).session == "session-at-the-provider"


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_each_lie_is_refused_for_what_it_is(lie: Any) -> None:
    """One wrong thing at a time, under a true signature wherever there can be one."""
    with pytest.raises(ProviderError) as raised:
        verify(lie.tell(Forge()))
    assert raised.value.code == lie.code
    assert any(raised.value.detail.startswith(member) for member in lie.member.split(",")), (
        raised.value.detail
    )


def test_a_logout_token_is_no_id_token() -> None:
    """Nor the other way round, which the lies hold: the same keys sign both for the same client."""
    expected = Expected(issuer=ISSUER, client_id=CLIENT, nonce="n")
    for header in ({}, {"typ": "JWT"}):
        with pytest.raises(ProviderError, match="token_rejected"):
            verify_id_token(logout_token(Forge(), header=header), keys=KEYS, expected=expected, now=NOW)


@pytest.mark.parametrize("exp", [1, 120, 10**6])
def test_a_token_is_remembered_for_as_long_as_it_is_accepted(exp: int) -> None:
    """To the second: one that came again later would end sessions of then."""
    token = logout_token(Forge(), exp=NOW + exp)
    until = verify(token).until
    assert verify(token, until - 1)
    with pytest.raises(ProviderError, match="token_rejected"):
        verify(token, until)
    assert until <= NOW + MAX_AGE + LEEWAY + 1


@pytest.mark.parametrize("exp", [ABSENT, None])
def test_a_token_without_exp_counts_for_five_minutes(exp: Any) -> None:
    """Several providers send none; from then on it is refused, and it says that the time was not its own."""
    token = logout_token(Forge(), exp=exp)
    found = verify(token)
    assert (found.dated, verify(HONEST).dated) == (False, True)
    assert found.until == NOW + MAX_AGE + LEEWAY + 1
    assert verify(token, found.until - 1)
    with pytest.raises(ProviderError, match=r"token_rejected.*iat"):
        verify(token, found.until)


def test_it_is_made_by_verification_alone_and_keeps_to_itself() -> None:
    """No later step takes an unverified one, and no log shows whom it names."""
    with pytest.raises(TypeError):
        LogoutToken(ISSUER, "1", 0, 0, True, "mallory", None, object())
    assert not any(secret in repr(verify(HONEST)) for secret in ("alice", "session-at", "one"))


@UNHURRIED
@given(token=st.text(max_size=200) | st.lists(st.text("ABCDe_-=", max_size=40), max_size=4).map(".".join))
def test_any_text_is_refused(token: str) -> None:
    """The endpoint is open to everybody."""
    with suppress(GatewayError):
        verify(token)
        raise AssertionError("accepted")


@UNHURRIED
@given(position=st.integers(0, len(HONEST) - 1), char=st.characters(codec="utf-8"))
def test_no_changed_letter_survives(position: int, char: str) -> None:
    """Every single change of an honest token, anywhere, is seen."""
    token = HONEST[:position] + char + HONEST[position + 1 :]
    if token == HONEST:
        return
    with suppress(GatewayError):
        verify(token)
        raise AssertionError("accepted")


@UNHURRIED
@given(
    changes=st.dictionaries(
        st.sampled_from([*sorted(logout_claims(Forge())), "nonce"]), json_values, max_size=3
    )
)
def test_any_signed_claims_are_read_or_refused(changes: dict[str, Any]) -> None:
    """A provider's own signature under nonsense: what comes out can be written into a log."""
    with suppress(GatewayError):
        found = verify(logout_token(Forge(), **changes))
        assert "nonce" not in changes
        assert len(found.keys) == 1
        for text in (*found.keys, found.key):
            text.encode("utf-8")
            assert text.isprintable() or " " in text or not text.isascii()


def test_the_corpus_of_lies_is_not_empty() -> None:
    """A corpus that lost its cases would pass everything."""
    assert len(LIES) > 60
