"""Assertions: one for each identity, route and half minute, good for a minute."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from gateway.core.session.identity_headers import IdentityOptions, identity_headers
from gateway.core.session.session import Principal
from gateway.oidc.jose.signing_key import SigningKey
from gateway.web.forward.assertions import HEADER, LIFETIME, USED_AGAIN, Assertions

ALICE = Principal("https://idp.example", "s-1", "alice", "alice@example.com", ("staff", "a,b"), "al")
BOB = Principal("https://idp.example", "s-2", "bob")
NOW = 1_800_000_000 - 1_800_000_000 % USED_AGAIN


def made(keys: list[SigningKey]) -> Assertions:
    return Assertions("https://app.example.com", keys)


def sent(assertions: Assertions, principal: Principal, route: str = "/api/", now: int = NOW) -> str:
    identity = identity_headers(principal, IdentityOptions())
    name, value = assertions.header(identity, principal, route, now)
    assert name == HEADER
    return value.decode()


def claims(token: str, key: SigningKey, route: str = "/api/") -> dict[str, object]:
    options: Any = {"verify_exp": False, "verify_iat": False}
    found: dict[str, object] = jwt.decode(
        token, key.public.public, algorithms=["ES256"], audience=route, options=options
    )
    return found


def test_it_says_what_the_identity_headers_say() -> None:
    """Issuer, audience, who it is, and for how long; nothing of the session, and nothing that is not known."""
    key = SigningKey.new()
    assertions = made([key])
    assert claims(sent(assertions, ALICE), key) == {
        "iss": "https://app.example.com", "aud": "/api/", "sub": "alice", "email": "alice@example.com",
        "groups": ["staff", "a,b"], "preferred_username": "al", "iat": NOW, "exp": NOW + LIFETIME,
    }  # fmt: skip
    assert set(claims(sent(assertions, BOB), key)) == {"iss", "aud", "sub", "iat", "exp"}


def test_one_is_sent_again_for_half_of_its_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is signed for a request that finds one; each identity and each route has its own."""
    key = SigningKey.new()
    assertions = made([key])
    first = sent(assertions, ALICE)
    other, elsewhere = sent(assertions, BOB), sent(assertions, ALICE, "/")
    assert len({first, other, elsewhere}) == 3
    assert claims(elsewhere, key, "/")["aud"] == "/"
    with monkeypatch.context() as patched:
        patched.setattr(SigningKey, "signed", None)
        for now in (NOW, NOW + 1, NOW + USED_AGAIN - 1):
            assert sent(assertions, ALICE, now=now) == first
            assert sent(assertions, BOB, now=now) == other
    later = sent(assertions, ALICE, now=NOW + USED_AGAIN)
    assert claims(later, key)["exp"] == NOW + USED_AGAIN + LIFETIME


def test_a_key_that_is_put_first_signs_at_once() -> None:
    """Rotation: both are published, so whoever verifies knows the new one before it signs."""
    old, new = SigningKey.new(), SigningKey.new()
    assertions = made([old, new])
    assert jwt.get_unverified_header(sent(assertions, ALICE))["kid"] == old.public.kid
    assertions.replace([new, old])
    assert jwt.get_unverified_header(sent(assertions, ALICE))["kid"] == new.public.kid
    assert assertions.keys == (new, old)
