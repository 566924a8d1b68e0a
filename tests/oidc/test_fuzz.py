"""Whatever a provider or a browser sends, the parsers end in a value or in one of our errors."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import GatewayError
from gateway.oidc.jose.jwks import parse_key_set
from gateway.oidc.signin.authorization import read_response
from gateway.oidc.signin.id_token import Expected, IdTokenClaims, verify_id_token
from gateway.oidc.signin.identity import ClaimOptions, aliases_from, principal_from
from gateway.oidc.signin.metadata import parse_metadata
from gateway.oidc.signin.tokens import parse_tokens
from gateway.oidc.wire import ProviderResponse
from tests.fakes.forge import CLIENT, ISSUER, LIES, NOW, Forge, rsa_key
from tests.oidc.documents import json_answer

EXPECTED = Expected(issuer=ISSUER, client_id=CLIENT, nonce="the-nonce", access_token="the-access-token")
KEYS = parse_key_set(json_answer({"keys": [rsa_key("id").jwk()]}))
HONEST = Forge().honest()

UNHURRIED = settings(deadline=None)  # a busy machine is no finding

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def raw_or_json(*names: str) -> st.SearchStrategy[bytes]:
    """Any bytes, or JSON whose members have the names that the parser looks for."""
    known = st.dictionaries(st.sampled_from(names), json_values, max_size=len(names))
    return st.binary(max_size=300) | known.map(lambda found: json.dumps(found).encode())


@UNHURRIED
@given(query=st.text(max_size=200) | st.from_regex(r"([a-z_]{0,6}=(%[0-9a-fA-F]{2}|[ -~]){0,9}&?){0,6}"))
def test_any_query_is_read_or_refused(query: str) -> None:
    """The callback is open to everybody."""
    with suppress(GatewayError):
        response = read_response(query)
        assert (response.code is None) != (response.refusal is None)


@UNHURRIED
@given(
    pairs=st.lists(
        st.tuples(
            st.sampled_from(["code", "state", "iss", "error", "error_description", "%63ode", "x"]),
            st.sampled_from(["", "a", "%00", "%ff", "%", "+", "%2B", "é", "a=b", "c" * 300]),
        ),
        max_size=6,
    )
)
def test_any_combination_of_parameters_is_read_or_refused(pairs: list[tuple[str, str]]) -> None:
    """What is read is tame: one code or one refusal, no control character."""
    with suppress(GatewayError):
        response = read_response("&".join(f"{name}={value}" for name, value in pairs))
        assert (response.code is None) != (response.refusal is None)
        assert (response.state or "x").isprintable() or response.state == " "


@UNHURRIED
@given(status=st.integers(100, 599), body=raw_or_json("issuer", "jwks_uri", "token_endpoint"))
def test_any_metadata_is_read_or_refused(status: int, body: bytes) -> None:
    """A broken or hostile metadata document."""
    with suppress(GatewayError):
        parse_metadata(ProviderResponse(status, {}, body), issuer=ISSUER)


@UNHURRIED
@given(
    keys=st.lists(
        json_values
        | st.fixed_dictionaries(
            {"kty": st.sampled_from(["RSA", "EC", "OKP", "oct"])},
            optional={
                name: json_values
                | st.sampled_from(["AQAB", "P-256", "Ed25519", "sig", "RS256", "A" * 43, "A" * 342])
                for name in ("n", "e", "x", "y", "crv", "use", "alg", "kid", "key_ops", "d")
            },
        ),
        max_size=4,
    )
)
def test_any_key_set_is_read_or_refused(keys: list[Any]) -> None:
    """Keys of every kind of nonsense."""
    with suppress(GatewayError):
        assert parse_key_set(json_answer({"keys": keys})).keys


@UNHURRIED
@given(body=raw_or_json("keys"), status=st.sampled_from([200, 404, 500]))
def test_any_key_document_is_read_or_refused(body: bytes, status: int) -> None:
    """Not even a set."""
    with suppress(GatewayError):
        parse_key_set(ProviderResponse(status, {}, body))


@UNHURRIED
@given(body=raw_or_json("access_token", "id_token", "token_type", "error"), status=st.integers(100, 599))
def test_any_token_answer_is_read_or_refused(body: bytes, status: int) -> None:
    """The token endpoint in any state of health."""
    with suppress(GatewayError):
        parse_tokens(ProviderResponse(status, {}, body), id_token_required=True)


def verify(token: str) -> IdTokenClaims:
    """``token`` against the published key."""
    return verify_id_token(token, keys=KEYS, expected=EXPECTED, now=NOW)


@UNHURRIED
@given(token=st.text(max_size=200) | st.lists(st.text("ABCDe_-=", max_size=40), max_size=4).map(".".join))
def test_any_text_is_no_id_token(token: str) -> None:
    """Nothing unsigned is ever accepted."""
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
@given(changes=st.dictionaries(st.sampled_from(sorted(Forge().claims())), json_values, max_size=3))
def test_any_signed_claims_are_read_or_refused(changes: dict[str, Any]) -> None:
    """A provider's own signature under nonsense."""
    with suppress(GatewayError):
        verified = verify(Forge().honest(**changes))
        assert verified.claims["iss"] == ISSUER
        assert verified.claims["aud"] in (CLIENT, [CLIENT])


@UNHURRIED
@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]), json_values))
def test_any_header_is_read_or_refused(header: dict[str, Any]) -> None:
    """The header is read before anything is verified."""
    forge = Forge()
    with suppress(GatewayError):
        verify(forge.signed(forge.claims(), header=header))


@UNHURRIED
@given(
    claims=st.dictionaries(
        st.sampled_from(
            ["email", "email_verified", "groups", "identities", "sid", "acr", "preferred_username", "kept"]
        ),
        json_values,
    )
)
def test_any_verified_claims_make_a_principal_or_are_refused(claims: dict[str, Any]) -> None:
    """What comes out can be written into headers and keys."""
    with suppress(GatewayError):
        verified = verify(Forge().honest(**claims))
        who = principal_from(verified, ClaimOptions(keep=("kept",)))
        for text in (who.user, *who.groups, who.email or "", *aliases_from(verified, ClaimOptions())):
            text.encode("utf-8")
            assert "\n" not in text and "\x00" not in text


def test_the_corpus_of_lies_is_not_empty() -> None:
    """A corpus that lost its cases would pass everything."""
    assert len(LIES) > 60
