from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import ProviderError
from gateway.core.signout.revocation import ENTRY_MARGIN
from gateway.oidc.jose.jwks import parse_key_set
from gateway.oidc.jose.signed_token import LEEWAY
from gateway.oidc.signin.id_token import ISSUED_WITHIN, Expected, IdTokenClaims, at_hash, verify_id_token
from tests.fakes.forge import ABSENT, CLIENT, ISSUER, NOW, Forge, SigningKey, ec_key, ed_key, rsa_key
from tests.oidc.documents import json_answer

EXPECTED = Expected(issuer=ISSUER, client_id=CLIENT, nonce="the-nonce")


def verify(token: str, *, key: SigningKey | None = None, now: int = NOW, **changes: Any) -> IdTokenClaims:
    """``token`` checked against one published key."""
    keys = parse_key_set(json_answer({"keys": [(key or rsa_key("id")).jwk()]}))
    return verify_id_token(token, keys=keys, expected=replace(EXPECTED, **changes), now=now)


@pytest.mark.parametrize(
    "key",
    [
        *(
            rsa_key(f"{family}{size}", algorithm=f"{family}{size}")
            for family in ("RS", "PS")
            for size in (256, 512)
        ),
        *(ec_key("k", name) for name in ("ES256", "ES384", "ES512")),
        ed_key("k"),
    ],
    ids=lambda key: key.algorithm,
)
def test_every_accepted_algorithm_verifies(key: SigningKey) -> None:
    """With the key that the provider declares for it."""
    forge = Forge(id_key=key)
    token = forge.honest(at_hash=at_hash("the-access-token", key.algorithm))
    assert verify(token, key=key, access_token="the-access-token").subject == "alice-sub"


def test_at_hash_is_half_the_digest_of_the_algorithm() -> None:
    """The example of OpenID Connect Core appendix A.3: access token and its hash under RS256."""
    assert at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "RS256") == "77QmUPtjPfzWtF2AnpK9RQ"
    assert [len(at_hash("x", name)) for name in ("ES256", "PS384", "RS512", "EdDSA")] == [22, 32, 43, 43]


def test_claims_are_made_by_verification_alone() -> None:
    """No later step accepts claims that nobody verified."""
    with pytest.raises(TypeError):
        IdTokenClaims(ISSUER, "mallory", 0, 0, 0, {}, proof=object())


def test_claims_stay_out_of_the_repr() -> None:
    """Personal data does not reach a log by accident."""
    assert "alice@example.com" not in repr(verify(Forge(more={"email": "alice@example.com"}).honest()))


@pytest.mark.parametrize(
    ("member", "offset", "accepted"),
    [
        ("exp", -LEEWAY + 1, True),
        ("exp", -LEEWAY, False),
        ("iat", LEEWAY, True),
        ("iat", LEEWAY + 1, False),
        ("nbf", LEEWAY, True),
        ("nbf", LEEWAY + 1, False),
        ("auth_time", LEEWAY, True),
        ("auth_time", LEEWAY + 1, False),
    ],
)
def test_clocks_may_differ_by_a_minute_and_no_more(member: str, offset: int, accepted: bool) -> None:
    """To the second, in both directions."""
    token = Forge().honest(**{member: NOW + offset})
    if accepted:
        assert verify(token).subject == "alice-sub"
        return
    with pytest.raises(ProviderError, match=f"token_rejected: {member}"):
        verify(token)


def test_the_same_token_dies_with_time() -> None:
    """Nothing but ``now`` decides: no clock is read."""
    token = Forge().honest()
    assert verify(token, now=NOW + 3659)
    with pytest.raises(ProviderError, match="exp"):
        verify(token, now=NOW + 3660)


def test_r06_a_clock_that_is_an_hour_ahead_signs_nobody_in() -> None:
    """However long the provider's tokens live: the session would outlive the entries of other clocks. At refresh any
    token does that is still good.
    """
    made = Forge().honest(iat=NOW, auth_time=NOW, exp=NOW + 86_400)
    assert verify(made, now=NOW + ISSUED_WITHIN + LEEWAY)
    with pytest.raises(ProviderError, match="token_rejected: iat"):
        verify(made, now=NOW + ISSUED_WITHIN + LEEWAY + 1)
    assert ISSUED_WITHIN + LEEWAY <= ENTRY_MARGIN
    assert verify(made, now=NOW + ISSUED_WITHIN + LEEWAY + 1, nonce=None)


def test_times_with_a_fraction_are_read() -> None:
    """RFC 7519 §2 allows them."""
    verified = verify(Forge().honest(iat=NOW + 0.9, exp=NOW + 10.5))
    assert (verified.issued_at, verified.expires) == (NOW, NOW + 10)


def test_several_audiences_with_our_azp_are_accepted() -> None:
    """OpenID Connect Core §3.1.3.7 steps 3 to 5."""
    assert verify(Forge().honest(aud=["other", CLIENT], azp=CLIENT)).subject == "alice-sub"
    assert verify(Forge().honest(aud=[CLIENT])).subject == "alice-sub"


def test_no_nonce_is_compared_when_none_was_sent() -> None:
    """At refresh; Cognito puts in a nonce of its own when federation is at work."""
    assert verify(Forge().honest(nonce="cognitos-own"), nonce=None).subject == "alice-sub"
    assert verify(Forge().honest(nonce=ABSENT), nonce=None).subject == "alice-sub"


def test_a_missing_at_hash_is_no_fault_in_the_code_flow() -> None:
    """OpenID Connect Core §3.1.3.6 makes it optional there."""
    assert verify(Forge().honest(at_hash=ABSENT), access_token="any").subject == "alice-sub"


def test_at_hash_is_not_compared_without_an_access_token() -> None:
    """There is nothing to compare it with."""
    assert verify(Forge().honest(at_hash="whatever")).subject == "alice-sub"


def test_without_auth_time_the_issue_counts() -> None:
    """Okta's tokens of some flows have none."""
    assert verify(Forge().honest(auth_time=ABSENT)).auth_time == NOW


@settings(max_examples=60, deadline=None)
@given(ahead=st.integers(-3_000, LEEWAY), ago=st.integers(0, 86_400), held=st.integers(0, 600))
def test_a_proof_is_dated_by_the_provider_s_own_clock(ahead: int, ago: int, held: int) -> None:
    """However wrong that is; a token made earlier than it came moves it by a minute at the most, and never before it."""
    made = NOW - held
    said = made + ahead - ago
    token = Forge().honest(iat=made + ahead, auth_time=said, exp=NOW + 9_999)
    at = verify(token).authenticated_at(NOW)
    assert at == min(NOW - ago, said + LEEWAY)
    if not held and ahead >= -LEEWAY:
        assert at == NOW - ago


def test_who_does_not_say_when_has_proved_nothing() -> None:
    """The time of issue stands in for policies alone."""
    assert verify(Forge().honest(auth_time=ABSENT)).authenticated_at(NOW) is None
    assert verify(Forge().honest()).authenticated_at(NOW) == NOW - 5


def test_the_token_kind_is_asked_only_where_the_provider_marks_it() -> None:
    """Other providers than Cognito have no token_use."""
    token = Forge().honest(token_use=ABSENT)
    assert verify(token).subject == "alice-sub"
    with pytest.raises(ProviderError, match="token_use"):
        verify(token, token_kind=("token_use", "id"))


def test_without_key_id_the_only_key_is_tried() -> None:
    """A provider with one key may leave the id out."""
    forge = Forge()
    assert verify(forge.signed(forge.claims(), header={"kid": ABSENT})).subject == "alice-sub"


@pytest.mark.parametrize("kind", ["JWT", "jwt", "application/jwt", ABSENT])
def test_the_usual_types_pass(kind: Any) -> None:
    """typ is optional and compared without regard to case (RFC 7515 §4.1.9)."""
    forge = Forge()
    assert verify(forge.signed(forge.claims(), header={"typ": kind})).subject == "alice-sub"
