from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import ProviderError
from gateway.oidc.jose.jwks import parse_key_set
from gateway.oidc.signout.universal_logout import LONGEST_LIFE, Call, Caller, read_bearer, read_body
from tests.fakes.forge import ABSENT, NOW, Forge, rsa_key
from tests.oidc.documents import json_answer

ORG = "https://example.okta.com"
HERE = "https://app.example.com/oauth2/global-token-revocation"
CALLER = Caller(ORG, "0oaAPP", HERE)
TYPE = "global-token-revocation+jwt"
KEYS = parse_key_set(json_answer({"keys": [rsa_key("okta").jwk()]}))
FORGE = Forge(issuer=ORG, client_id=HERE, now=NOW, id_key=rsa_key("okta"))


def claims(**changes: Any) -> dict[str, Any]:
    """The claims that Okta sends (facts B.6), with ``changes``; `ABSENT` takes one out."""
    honest = {
        "iss": ORG, "sub": "0oaAPP", "aud": HERE, "jti": "call-1", "iat": NOW, "nbf": NOW - 300, "exp": NOW + 300,
    }  # fmt: skip
    return {name: value for name, value in {**honest, **changes}.items() if value is not ABSENT}


def token(*, typ: Any = TYPE, **changes: Any) -> str:
    """A bearer token, truly signed by Okta's key."""
    return FORGE.signed(claims(**changes), header={"typ": typ})


def refusal(bearer: str) -> ProviderError:
    """The refusal that ``bearer`` meets."""
    with pytest.raises(ProviderError) as refused:
        read_bearer(bearer, keys=KEYS, caller=CALLER, now=NOW)
    return refused.value


def test_okta_s_token_is_a_call() -> None:
    """With a member more, and in a list of audiences, it still is."""
    for bearer in (token(), token(aud=[HERE]), token(extra=1), token(typ=f"application/{TYPE}")):
        assert read_bearer(bearer, keys=KEYS, caller=CALLER, now=NOW) == Call("call-1", NOW)


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": ORG + "/"}, "iss"),
        ({"aud": "https://app.example.com/oauth2/security-events"}, "aud"),
        ({"aud": HERE + "?x=1"}, "aud"),
        ({"aud": ABSENT}, "aud"),
        ({"exp": NOW - 60}, "exp"),
        ({"exp": ABSENT}, "exp"),
        ({"iat": NOW + 61}, "iat"),
        ({"iat": NOW - LONGEST_LIFE - 61, "exp": NOW + 300}, "iat"),
        ({"iat": ABSENT}, "iat"),
        ({"nbf": NOW + 61}, "nbf"),
        ({"jti": ABSENT}, "jti"),
        ({"jti": ""}, "jti"),
        ({"jti": ["call-1"]}, "jti"),
        ({"sub": ABSENT}, "sub"),
        ({"typ": "JWT"}, "typ"),
        ({"typ": "secevent+jwt"}, "typ"),
        ({"typ": "logout+jwt"}, "typ"),
        ({"typ": None}, "typ"),
        ({"typ": ABSENT}, "typ"),
    ],
)
def test_whatever_is_wrong_with_the_token_is_a_refusal(changes: dict[str, Any], member: str) -> None:
    """Each names what is at fault."""
    error = refusal(token(**changes))
    assert (error.code, error.detail.partition(":")[0]) == ("token_rejected", member)


def test_another_application_s_token_is_told_apart() -> None:
    """All of it holds, but it is not ours: Okta hears 403 and not 401."""
    assert refusal(token(sub="0oaOTHER")).code == "other_application"
    assert refusal(token(sub="0oaOTHER", exp=NOW - 600)).code == "token_rejected"


def test_a_signature_counts_only_if_it_is_okta_s() -> None:
    """Nobody's, a shared secret's, a stranger's, and one under an unknown id."""
    assert refusal(FORGE.unsigned() + "AAAA").code == "token_rejected"
    assert refusal(FORGE.with_secret(rsa_key("okta").pem())).code == "token_rejected"
    stranger = FORGE.signed(claims(), key=rsa_key("stranger"), header={"typ": TYPE, "kid": "okta"})
    assert refusal(stranger).detail.startswith("signature")
    assert (
        refusal(FORGE.signed(claims(), key=rsa_key("stranger"), header={"typ": TYPE})).code == "unknown_key"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"sub_id=x",
        b"{}",
        b'{"sub_id":1,"sub_id":2}',
        b'{"sub_id":',
        b"\xff",
        b"[" * 5000,
    ],
)
def test_a_body_without_a_subject_is_refused(body: bytes) -> None:
    """Also one with two: two readers may pick different ones."""
    with pytest.raises(ProviderError, match="malformed_request"):
        read_body(body)


def test_the_subject_is_handed_on_as_it_is() -> None:
    """Other members are not ours to judge."""
    assert read_body(b'{"sub_id": {"format": "email", "email": "a@b.c"}, "x": 1}') == {
        "format": "email",
        "email": "a@b.c",
    }


@settings(deadline=None)
@given(
    body=st.binary(max_size=200)
    | st.from_regex(rb'\{"sub_id": ?(\{("format"|"x"): ?"[a-z]*"\}|[0-9]|null)\}')
)
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Whoever has a good token may still send nonsense."""
    with suppress(ProviderError):
        read_body(body)


@settings(deadline=None)
@given(
    bearer=st.text(max_size=200) | st.lists(st.text("ABCDe_-=", max_size=40), max_size=4).map(".".join),
    changes=st.dictionaries(
        st.sampled_from(["iss", "sub", "aud", "jti", "iat", "nbf", "exp"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=9)
        | st.lists(st.integers()),
        max_size=3,
    ),
)
def test_any_token_is_read_or_refused(bearer: str, changes: dict[str, Any]) -> None:
    """Signed or not."""
    for each in (bearer, token(**changes)):
        with suppress(ProviderError):
            read_bearer(each, keys=KEYS, caller=CALLER, now=NOW)
