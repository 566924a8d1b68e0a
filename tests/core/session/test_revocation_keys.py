"""Keys of the revocation log never mean two things."""

from __future__ import annotations

from gateway.core.session.revocation_keys import (
    EVERYONE,
    email_key,
    ends_sessions,
    hop_key,
    hop_name,
    idp_key,
    is_hop_key,
    isid_key,
    names_provider_session,
    sid_key,
    sid_of,
    subject_key,
    token_key,
)


def test_keys_of_different_issuers_never_meet() -> None:
    """No issuer can write its name so that it reaches another's subjects (rule R19)."""
    assert subject_key("https://a", "b|c") != subject_key("https://a|b", "c")
    assert subject_key("https://a|b", "c") != subject_key("https://a%7Cb", "c")
    assert subject_key("https://a", "b") == "sub:https://a|b"
    assert idp_key("Okta", "u1") == "idp:Okta|u1"
    assert isid_key("https://a", "x") == "isid:https://a|x"
    assert len({key("a", "b") for key in (subject_key, idp_key, isid_key)}) == 3


def test_an_address_is_one_key_in_any_case() -> None:
    """Two spellings of one address are one person."""
    assert email_key("Alice@Example.com") == email_key("alice@example.COM") == "email:alice@example.com"
    assert email_key("re\u0301my@x") == email_key("r\u00e9my@x")


def test_a_key_names_one_session_or_may_name_several() -> None:
    """The sid comes back from its own key only."""
    assert sid_of(sid_key("sid:odd")) == "sid:odd"
    assert [
        sid_of(key) for key in (subject_key("https://a", "alice"), EVERYONE, email_key("sid:@example.com"))
    ] == [None] * 3


def test_a_sign_out_of_ours_and_the_news_of_it_have_keys_of_their_own() -> None:
    """They end nothing, and neither does a token that was taken."""
    name = hop_name(email_key("alice@example.com"))
    keys = [hop_key(name), hop_key(name, "backchannel"), hop_key(name, "event_hook")]
    assert len(set(keys)) == 3
    assert all(map(is_hop_key, keys))
    assert not any(map(ends_sessions, [*keys, token_key("https://a", "t")]))
    assert all(map(ends_sessions, [EVERYONE, sid_key("hop:"), email_key("hop:@example.com")]))


def test_which_keys_name_a_session_of_the_provider() -> None:
    """That very one, and nobody's name that looks like it."""
    assert names_provider_session(isid_key("https://a", "x"))
    assert not any(map(names_provider_session, [sid_key("isid:"), email_key("isid:@x"), EVERYONE]))
