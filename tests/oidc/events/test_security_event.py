from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import ProviderError
from gateway.oidc.events.security_event import (
    CAEP,
    ENDING,
    HARMLESS,
    RISC,
    SSF,
    STREAM_UPDATED,
    VERIFICATION,
    EventToken,
    Transmitter,
    read_event_token,
    refusal,
)
from gateway.oidc.jose.jwks import parse_key_set
from tests.fakes.forge import ABSENT, NOW, Forge, rsa_key
from tests.oidc.documents import json_answer

ORG = "https://example.okta.com"
AUDIENCE = "https://app.example.com"
TRANSMITTER = Transmitter(ORG, AUDIENCE)
KEYS = parse_key_set(json_answer({"keys": [rsa_key("okta").jwk()]}))
FORGE = Forge(issuer=ORG, client_id=AUDIENCE, now=NOW, id_key=rsa_key("okta"))
ALICE = {"format": "iss_sub", "iss": ORG, "sub": "00uALICE"}
REVOKED = CAEP + "session-revoked"


def claims(**changes: Any) -> dict[str, Any]:
    """A token in the shape of SSF 1.0, with ``changes``; `ABSENT` takes a member out."""
    honest = {
        "iss": ORG, "aud": AUDIENCE, "jti": "set-1", "iat": NOW, "txn": "t-1", "sub_id": ALICE,
        "events": {REVOKED: {"event_timestamp": NOW - 9, "initiating_entity": "admin"}},
    }  # fmt: skip
    return {name: value for name, value in {**honest, **changes}.items() if value is not ABSENT}


def token(*, typ: Any = "secevent+jwt", **changes: Any) -> str:
    """A token truly signed by the transmitter's key."""
    return FORGE.signed(claims(**changes), header={"typ": typ})


def read(**changes: Any) -> EventToken:
    """A token with ``changes``, read."""
    return read_event_token(token(**changes), keys=KEYS, transmitter=TRANSMITTER, now=NOW)


def refused(token: str) -> ProviderError:
    """The refusal that ``token`` meets."""
    with pytest.raises(ProviderError) as raised:
        read_event_token(token, keys=KEYS, transmitter=TRANSMITTER, now=NOW)
    return raised.value


def test_a_token_of_ssf_1_0_is_read() -> None:
    """The subject at the top, times in seconds."""
    found = read()
    event = found.event
    assert (found.token_id, found.transaction) == ("set-1", "t-1")
    assert (event.name, event.subject, event.happened_at) == ("session-revoked", ALICE, NOW - 9)


def test_a_token_in_okta_s_shape_is_read() -> None:
    """The subject within the event, times in milliseconds, no ``txn`` (facts B.7)."""
    payload = {"subject": {"user": ALICE}, "event_timestamp": (NOW - 9) * 1000 + 123}
    event = read(sub_id=ABSENT, txn=ABSENT, events={REVOKED: payload}).event
    assert (event.subject, event.happened_at) == ({"user": ALICE}, NOW - 9)


def test_an_event_without_a_time_happened_when_the_token_was_issued() -> None:
    """``event_timestamp`` is optional in CAEP."""
    assert read(events={REVOKED: {}}).event.happened_at == NOW


def test_a_token_may_be_old() -> None:
    """It may have waited for us to be back; it ends what had begun before it, and nothing since (rule R6)."""
    assert read(iat=NOW - 400_000, events={REVOKED: {}}).event.happened_at == NOW - 400_000


def test_what_ssf_forbids_because_of_id_tokens_is_passed_over() -> None:
    """The type of the token keeps them apart; an expiry that is over counts all the same."""
    assert read(sub="alice", exp=NOW + 9).token_id == "set-1"
    assert refused(token(exp=NOW - 60)).detail.startswith("exp")


@pytest.mark.parametrize(
    ("payload", "by_user"),
    [
        ({"initiating_entity": "user"}, True),
        ({}, True),
        ({"initiating_entity": "somebody"}, True),
        ({"initiating_entity": "admin"}, False),
        ({"initiating_entity": "policy"}, False),
        ({"initiating_entity": "system"}, False),
    ],
)
def test_r21_a_plain_sign_out_is_told_from_an_administrator_s_doing(
    payload: dict[str, str], by_user: bool
) -> None:
    """It is one unless somebody says that it is not."""
    assert read(events={REVOKED: payload}).event.by_user is by_user
    assert read(events={RISC + "account-disabled": payload}).event.by_user is False


def test_a_credential_that_was_added_is_no_loss() -> None:
    """Only its change, its end or its revocation may tell of a thief."""
    kind = CAEP + "credential-change"
    assert read(events={kind: {"change_type": "create"}}).event.only_adds
    assert not read(events={kind: {"change_type": "revoke"}}).event.only_adds


def test_events_are_known_by_their_whole_type() -> None:
    """What ends sessions, what is harmless, and what belongs to the stream do not overlap."""
    assert not set(ENDING) & HARMLESS
    assert not {VERIFICATION, STREAM_UPDATED} & (set(ENDING) | HARMLESS)
    assert read(events={"session-revoked": {}}).event.name is None
    assert read(events={SSF + "verification": {"state": "s"}}).event.kind == VERIFICATION


@pytest.mark.parametrize(
    ("changes", "member", "code"),
    [
        ({"iss": "https://evil.example"}, "iss", "invalid_issuer"),
        ({"iss": ABSENT}, "iss", "invalid_issuer"),
        ({"aud": "https://other.example"}, "aud", "invalid_audience"),
        ({"aud": ABSENT}, "aud", "invalid_audience"),
        ({"aud": []}, "aud", "invalid_audience"),
        ({"jti": ABSENT}, "jti", "invalid_request"),
        ({"jti": 7}, "jti", "invalid_request"),
        ({"iat": ABSENT}, "iat", "invalid_request"),
        ({"iat": NOW + 61}, "iat", "invalid_request"),
        ({"iat": "now"}, "iat", "invalid_request"),
        ({"events": ABSENT}, "events", "invalid_request"),
        ({"events": {}}, "events", "invalid_request"),
        ({"events": [REVOKED]}, "events", "invalid_request"),
        ({"events": {REVOKED: None}}, "events", "invalid_request"),
        ({"events": {REVOKED: {}, VERIFICATION: {}}}, "events", "invalid_request"),
        ({"events": {REVOKED: {"event_timestamp": "now"}}}, "event_timestamp", "invalid_request"),
        ({"events": {REVOKED: {"event_timestamp": True}}}, "event_timestamp", "invalid_request"),
        ({"events": {REVOKED: {"subject": {**ALICE, "sub": "00uBOB"}}}}, "sub_id", "invalid_request"),
        ({"typ": "JWT"}, "typ", "invalid_request"),
        ({"typ": "logout+jwt"}, "typ", "invalid_request"),
        ({"typ": ABSENT}, "typ", "invalid_request"),
    ],
)
def test_whatever_is_wrong_has_its_code(changes: dict[str, Any], member: str, code: str) -> None:
    """The code of RFC 8935 §2.4, and what is at fault."""
    error = refused(token(**changes))
    assert (error.detail.partition(":")[0], refusal(error).code) == (member, code)


def test_a_signature_counts_only_if_it_is_the_transmitter_s() -> None:
    """Nobody's, a shared secret's, a stranger's, and one under an unknown id."""
    assert refusal(refused(FORGE.unsigned() + "AAAA")).code == "invalid_request"
    assert refusal(refused(FORGE.with_secret(rsa_key("okta").pem()))).code == "invalid_request"
    header = {"typ": "secevent+jwt"}
    stranger = FORGE.signed(claims(), key=rsa_key("stranger"), header={**header, "kid": "okta"})
    assert refusal(refused(stranger)).code == "invalid_key"
    assert (
        refusal(refused(FORGE.signed(claims(), key=rsa_key("stranger"), header=header))).code == "invalid_key"
    )


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from([ORG, REVOKED]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([REVOKED, VERIFICATION, "subject", "event_timestamp", "format", "state"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(
    changes=st.dictionaries(
        st.sampled_from(["iss", "aud", "jti", "iat", "exp", "nbf", "txn", "sub_id", "events"]),
        json_values,
        max_size=4,
    )
)
def test_any_token_is_read_or_refused(changes: dict[str, Any]) -> None:
    """Signed by the transmitter itself, and still nonsense."""
    with suppress(ProviderError):
        assert read(**changes).token_id
