"""What every signed token must stand; ID tokens stand it in ``test_hostile_provider.py``, liar by liar."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.errors import ProviderError
from gateway.oidc.jose.jwks import parse_key_set
from gateway.oidc.jose.signed_token import (
    LEEWAY,
    Kind,
    SignedToken,
    check_audience,
    check_expiry,
    check_issued,
    read_signed,
    text_in,
)
from tests.fakes.forge import ABSENT, NOW, Forge, rsa_key
from tests.oidc.documents import json_answer

KEYS = parse_key_set(json_answer({"keys": [rsa_key("id").jwk()]}))
LOOSE = Kind("the token", frozenset({"secevent+jwt"}))
STRICT = Kind("the token", frozenset({"secevent+jwt"}), typed=True, longest=2_000)


def read(kind: Kind, typ: Any = ABSENT, **claims: Any) -> SignedToken:
    forge = Forge()
    return read_signed(forge.signed({"iss": "x", **claims}, header={"typ": typ}), keys=KEYS, kind=kind)


@pytest.mark.parametrize("typ", ["secevent+jwt", "SecEvent+JWT", "application/secevent+jwt"])
def test_the_type_is_known_in_each_of_its_forms(typ: str) -> None:
    """RFC 7515 §4.1.9."""
    assert read(STRICT, typ).claims == {"iss": "x"}


@pytest.mark.parametrize("typ", ["JWT", "", "logout+jwt", "application/application/secevent+jwt", None, 7])
def test_another_type_is_refused(typ: Any) -> None:
    """A token of one kind must not pass for another (RFC 8725 §3.11)."""
    for kind in (LOOSE, STRICT):
        with pytest.raises(ProviderError, match="token_rejected: typ"):
            read(kind, typ)


def test_only_a_kind_that_is_always_typed_needs_a_type() -> None:
    """Where the specification merely recommends it, its absence says nothing."""
    assert read(LOOSE).algorithm == "RS256"
    with pytest.raises(ProviderError, match="token_rejected: typ"):
        read(STRICT)


def test_a_kind_has_its_own_length() -> None:
    """Small documents stay small."""
    assert read(LOOSE, x="a" * 2_000)
    with pytest.raises(ProviderError, match="token_rejected: form"):
        read(STRICT, "secevent+jwt", x="a" * 2_000)


def test_claims_stay_out_of_the_repr() -> None:
    """Nothing of a person reaches a log by accident."""
    assert "alice" not in repr(read(LOOSE, email="alice@example.com"))


@pytest.mark.parametrize(("ago", "accepted"), [(300, True), (300 + LEEWAY, True), (301 + LEEWAY, False)])
def test_a_kind_may_be_too_old(ago: int, accepted: bool) -> None:
    """To the second, whatever its exp says."""
    claims = {"iat": NOW - ago}
    assert check_issued(claims, NOW) == NOW - ago
    if accepted:
        assert check_issued(claims, NOW, within=300) == NOW - ago
        return
    with pytest.raises(ProviderError, match="token_rejected: iat"):
        check_issued(claims, NOW, within=300)


@pytest.mark.parametrize("times", [{}, {"iat": True}, {"iat": "1"}, {"iat": NOW, "nbf": NOW + LEEWAY + 1}])
def test_times_must_be_times(times: dict[str, Any]) -> None:
    """Missing, malformed or ahead is refused."""
    with pytest.raises(ProviderError, match="token_rejected"):
        check_issued(times, NOW)
    with pytest.raises(ProviderError, match="token_rejected: exp"):
        check_expiry(times, NOW)


def test_all_audiences_are_told() -> None:
    """Whoever asks decides whether there may be others."""
    assert check_audience({"aud": "us"}, "us") == ["us"]
    assert check_audience({"aud": ["us", "them"]}, "us") == ["us", "them"]


@pytest.mark.parametrize("found", [ABSENT, None, "", 7, "a" * 256, "a\nb", "\ud800"])
def test_ids_are_short_texts(found: Any) -> None:
    """They end up in keys, in the log and in the audit trail."""
    with pytest.raises(ProviderError, match="token_rejected: jti"):
        text_in({} if found is ABSENT else {"jti": found}, "jti")
