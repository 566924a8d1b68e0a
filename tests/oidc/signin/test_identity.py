from __future__ import annotations

from typing import Any

import pytest

from gateway.core.errors import ProviderError
from gateway.oidc.jose.jwks import parse_key_set
from gateway.oidc.signin.id_token import Expected, IdTokenClaims, verify_id_token
from gateway.oidc.signin.identity import ClaimOptions, aliases_from, principal_from
from tests.fakes.forge import ABSENT, CLIENT, ISSUER, NOW, Forge, rsa_key
from tests.oidc.documents import json_answer

KEYS = parse_key_set(json_answer({"keys": [rsa_key("id").jwk()]}))
COGNITO = ClaimOptions(groups="cognito:groups", usernames=("preferred_username", "cognito:username"))
OKTA_IDENTITY = {"userId": "00uALICE", "providerName": "Okta", "providerType": "SAML", "primary": "true"}


def verified(**claims: Any) -> IdTokenClaims:
    """The claims of a token that the provider signed with ``claims`` in it."""
    expected = Expected(issuer=ISSUER, client_id=CLIENT, nonce=None)
    return verify_id_token(Forge().honest(**claims), keys=KEYS, expected=expected, now=NOW)


def test_a_federated_cognito_user_becomes_a_principal() -> None:
    """The whole of a usual token."""
    who = principal_from(
        verified(
            email="Alice@Example.com",
            email_verified="true",
            **{"cognito:groups": ["admins", "staff"], "cognito:username": "Okta_alice@example.com"},
            acr="urn:cognito:loa:2",
            department="R&D",
            secret_number=42,
        ),
        ClaimOptions(groups="cognito:groups", usernames=COGNITO.usernames, keep=("department", "absent")),
    )
    assert (who.issuer, who.subject, who.user, who.email) == (
        ISSUER,
        "alice-sub",
        "alice-sub",
        "alice@example.com",
    )
    assert who.groups == ("admins", "staff")
    assert who.preferred_username == "Okta_alice@example.com"
    assert dict(who.claims) == {"department": "R&D"}
    assert (who.acr, who.auth_time) == ("urn:cognito:loa:2", NOW - 5)


@pytest.mark.parametrize("said", [True, "true"])
def test_r19_a_verified_address_is_believed(said: Any) -> None:
    """A bool, or the string that Cognito makes of it."""
    claims = verified(email="alice@example.com", email_verified=said)
    assert principal_from(claims, COGNITO).email == "alice@example.com"
    assert "email:alice@example.com" in aliases_from(claims, COGNITO)


@pytest.mark.parametrize("said", [ABSENT, False, "false", "True", "yes", 1, 1.0, None, ["true"]])
def test_r19_an_unverified_address_is_nobodys(said: Any) -> None:
    """It reaches neither header nor policy nor index, also not as a kept claim."""
    claims = verified(email="alice@example.com", email_verified=said)
    who = principal_from(claims, ClaimOptions(keep=("email",)))
    assert (who.email, dict(who.claims)) == (None, {})
    assert not [key for key in aliases_from(claims, COGNITO) if key.startswith("email:")]


@pytest.mark.parametrize(
    "address", ["a@evil@corp.com", "alice", "@example.com", "alice@", "a b@example.com", "alice@exam ple.com"]
)
def test_r19_an_address_has_exactly_one_at(address: str) -> None:
    """CVE-2026-40574: what is no address is not believed though it is verified."""
    assert principal_from(verified(email=address, email_verified=True), COGNITO).email is None


@pytest.mark.parametrize(
    ("trusted", "identities", "believed"),
    [
        ({ISSUER}, ABSENT, True),
        ({"Okta"}, [OKTA_IDENTITY], True),
        ({"Okta"}, ABSENT, False),
        ({"Okta"}, [], False),
        ({"Okta"}, [OKTA_IDENTITY, {"userId": "1", "providerName": "Facebook"}], False),
        ({"okta"}, [OKTA_IDENTITY], False),
    ],
)
def test_r19_a_trusted_provider_vouches_for_its_addresses(
    trusted: set[str], identities: Any, believed: bool
) -> None:
    """By issuer or federated provider; with several linked, all of them must be trusted."""
    options = ClaimOptions(trusted_email_from=frozenset(trusted))
    who = principal_from(verified(email="alice@example.com", identities=identities), options)
    assert (who.email is not None) is believed


def test_the_user_may_be_the_address_but_only_a_believed_one() -> None:
    """headers.user: email refuses whoever has none, rather than taking what they typed."""
    options = ClaimOptions(user="email")
    assert principal_from(verified(email="A@b.example", email_verified=True), options).user == "a@b.example"
    with pytest.raises(ProviderError) as caught:
        principal_from(verified(email="admin@b.example"), options)
    assert (caught.value.code, caught.value.detail[:5]) == ("unusable_claim", "email")


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (ABSENT, ()),
        ([], ()),
        ("", ()),
        (["a", "b", "a"], ("a", "b")),
        ("admins", ("admins",)),
        ("a,admins", ("a,admins",)),
        (["a, admins"], ("a, admins",)),
    ],
)
def test_groups_are_a_list_or_one_name(said: Any, read: tuple[str, ...]) -> None:
    """A comma inside a name never makes two groups."""
    assert principal_from(verified(**{"cognito:groups": said}), COGNITO).groups == read


@pytest.mark.parametrize("said", [7, {"a": 1}, [7], [""], ["a", None], [["a"]], ["a\nb"], True])
def test_malformed_groups_refuse_the_login(said: Any) -> None:
    """Dropping what we cannot read could drop the group that forbids."""
    with pytest.raises(ProviderError) as caught:
        principal_from(verified(**{"cognito:groups": said}), COGNITO)
    assert caught.value.code == "unusable_claim"


@pytest.mark.parametrize("name", ["email", "preferred_username", "cognito:username", "department"])
@pytest.mark.parametrize("char", ["\r\n", "\x00", "\x1b", "\x7f", "\x85", "\ud800"])
def test_r31_control_characters_refuse_the_login(name: str, char: str) -> None:
    """In every claim that becomes a header; the error names the claim and not its value."""
    options = ClaimOptions(usernames=COGNITO.usernames, keep=("department",))
    with pytest.raises(ProviderError) as caught:
        principal_from(verified(**{name: f"x{char}y"}), options)
    assert caught.value.detail == f"{name}: holds control characters" or name == "department"
    assert char not in str(caught.value)


def test_r31_control_characters_deep_in_a_kept_claim_refuse_the_login() -> None:
    """Lists and objects are looked through, to a bound."""
    deep: Any = "x"
    for _ in range(9):
        deep = [deep]
    for value in ([["a\n"]], {"a": {"b\n": 1}}, deep):
        with pytest.raises(ProviderError, match="department"):
            principal_from(verified(department=value), ClaimOptions(keep=("department",)))


ODD: list[Any] = [7, True, 1.5, {"a": 1}, ["x"], [{"a": ["b\n"]}], {"identities": {}}, "a\x00b"]


@pytest.mark.parametrize("said", ODD)
def test_what_nobody_asks_for_may_have_any_shape(said: Any) -> None:
    """Claims that become no header and are asked for by nothing here fail no sign-in, and are not carried."""
    names = (
        "sid",
        "origin_jti",
        "identities",
        "groups",
        "acr",
        "department",
        "amr",
        "phone_number",
        "firebase",
    )
    claims = verified(**dict.fromkeys(names, said))
    options = ClaimOptions(groups="roles", federated=False)
    who = principal_from(claims, options)
    assert (who.user, who.groups, dict(who.claims)) == ("alice-sub", (), {})
    assert aliases_from(claims, options) == (f"sub:{ISSUER}|alice-sub",)


@pytest.mark.parametrize("said", [each for each in ODD if not isinstance(each, str)])
def test_an_address_or_a_name_that_is_no_text_is_none(said: Any) -> None:
    """As one that nobody vouches for; the next claim with a name is taken."""
    claims = verified(
        email=said, email_verified=True, preferred_username=said, **{"cognito:username": "alice"}
    )
    who = principal_from(claims, COGNITO)
    assert (who.email, who.preferred_username) == (None, "alice")


@pytest.mark.parametrize(
    ("said", "asked"),
    [("urn:x", "urn:x"), (2, "2"), (["a", "b"], '["a", "b"]'), ("a\nb", '"a\\nb"'), ("", None), (None, None)],
)
def test_what_is_no_plain_acr_equals_none_that_a_policy_names(said: Any, asked: str | None) -> None:
    """It is carried as its JSON, which holds no control character, and lets nobody in who is not."""
    assert principal_from(verified(acr=said), ClaimOptions()).acr == asked


@pytest.mark.parametrize(
    ("shape", "said", "read"),
    [
        ("brackets", "[admins, staff]", ("admins", "staff")),
        ("comma", "a,b", ("a", "b")),
        ("json", '["a"]', ("a",)),
        ("", "admins,staff", ("admins", "staff")),
        ("list", "admins,staff", ("admins,staff",)),
    ],
)
def test_groups_are_read_in_their_shape(shape: str, said: str, read: tuple[str, ...]) -> None:
    """From the claim that is named, such as an attribute of Cognito's, which is always a text."""
    options = ClaimOptions(groups="custom:groups", shape=shape)
    assert principal_from(verified(**{"custom:groups": said}), options).groups == read


def test_groups_in_another_shape_than_was_said_refuse_the_login() -> None:
    """The refusal names the claim and the key, and no group."""
    options = ClaimOptions(groups="custom:groups", shape="json")
    with pytest.raises(ProviderError) as caught:
        principal_from(verified(**{"custom:groups": "[admins, staff]"}), options)
    assert (caught.value.code, caught.value.detail[:13]) == ("unusable_claim", "custom:groups")
    assert "headers.groups" in caught.value.fix and "admins" not in str(caught.value)


def test_letters_of_any_script_are_kept() -> None:
    """They are encoded where headers are written."""
    who = principal_from(verified(department="Büro 王"), ClaimOptions(keep=("department",)))
    assert dict(who.claims) == {"department": "Büro 王"}


def test_r19_a_session_has_all_its_names() -> None:
    """Subject, address, every federated identity, a linked Okta id."""
    claims = verified(
        email="Alice@example.com",
        email_verified=True,
        identities=[OKTA_IDENTITY, {"userId": "77", "providerName": "Google"}],
        origin_jti=ABSENT,
        **{"custom:okta_id": "00uALICE"},
    )
    options = ClaimOptions(linked=(("https://example.okta.com", "custom:okta_id"),))
    assert aliases_from(claims, options) == (
        f"sub:{ISSUER}|alice-sub",
        "email:alice@example.com",
        "idp:Okta|00uALICE",
        "idp:Google|77",
        "sub:https://example.okta.com|00uALICE",
    )


def test_r19_a_link_that_nobody_filled_in_names_nobody() -> None:
    """The attribute is not there, or empty: no key that all such users would share."""
    options = ClaimOptions(linked=(("https://example.okta.com", "custom:okta_id"),))
    for said in (ABSENT, ""):
        found = aliases_from(verified(**{"custom:okta_id": said}), options)
        assert not [key for key in found if "example.okta.com" in key]


def test_r20_the_providers_own_session_id_is_a_name() -> None:
    """OIDC's sid, and Cognito's origin_jti, which is constant over refreshes."""
    assert f"isid:{ISSUER}|s-1" in aliases_from(verified(sid="s-1"), COGNITO)
    assert f"isid:{ISSUER}|o-1" in aliases_from(verified(origin_jti="o-1"), COGNITO)


def test_r19_one_providers_user_cannot_be_another_providers() -> None:
    """A separator inside a name does not move the border between provider and user."""
    one = aliases_from(verified(identities=[{"providerName": "a|b", "userId": "c"}]), COGNITO)
    other = aliases_from(verified(identities=[{"providerName": "a", "userId": "b|c"}]), COGNITO)
    assert one != other


@pytest.mark.parametrize(
    "identities",
    [
        "[]",
        {},
        [7],
        [{}],
        [{"providerName": "Okta"}],
        [{"userId": "x"}],
        [{"providerName": 1, "userId": "x"}],
    ],
)
def test_malformed_identities_refuse_the_login(identities: Any) -> None:
    """A session that could not be ended by its federated name must not begin."""
    with pytest.raises(ProviderError) as caught:
        aliases_from(verified(identities=identities), COGNITO)
    assert caught.value.code == "unusable_claim"
