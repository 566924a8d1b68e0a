from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import ProviderError
from gateway.oidc.events.subject_ids import MAX_ALIASES, MAX_NAME, Namespace, subject_keys

ORG = "https://example.okta.com"
OKTA = Namespace(ORG)
BEHIND = Namespace(ORG, "Okta")
OWN = Namespace(ORG, sessions=True)
ALICE = {"format": "email", "email": "Alice@Example.com"}
BY_ID = {"format": "iss_sub", "iss": ORG, "sub": "00uALICE"}
OPAQUE = {"format": "opaque", "id": "00uALICE"}
PHONE = {"format": "phone_number", "phone_number": "+12065550100"}


def refusal(subject: object, namespace: Namespace = OKTA) -> str:
    """The code with which ``subject`` is refused."""
    with pytest.raises(ProviderError) as refused:
        subject_keys(subject, namespace)
    return refused.value.code


def test_an_address_is_the_key_of_an_address_alone() -> None:
    """In whatever case it was written; it never becomes a subject or a federated user."""
    assert subject_keys(ALICE, BEHIND) == ("email:alice@example.com",)


@pytest.mark.parametrize("subject", [BY_ID, OPAQUE])
def test_an_id_of_the_issuer_is_its_subject_and_the_federated_user(subject: dict[str, str]) -> None:
    """An opaque id is Okta's user id, as the subject of an ``iss_sub`` is."""
    assert subject_keys(subject, OKTA) == (f"sub:{ORG}|00uALICE",)
    assert subject_keys(subject, BEHIND) == (f"sub:{ORG}|00uALICE", "idp:Okta|00uALICE")


@pytest.mark.parametrize(
    "issuer", ["https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_TEST", ORG + "/", ORG.upper(), "Okta"]
)
def test_r19_an_issuer_reaches_its_own_namespace_only(issuer: str) -> None:
    """Not even our own provider's subjects, and no spelling that is nearly its own."""
    assert refusal({"format": "iss_sub", "iss": issuer, "sub": "alice-sub"}, BEHIND) == "unmapped_subject"


@pytest.mark.parametrize(
    "subject",
    [
        PHONE,
        {"format": "account", "uri": "acct:alice@example.com"},
        {"format": "did", "url": "did:example:123456"},
        {"format": "uri", "uri": "https://example.com/alice"},
        {"format": "saml_assertion_id", "issuer": ORG, "assertion_id": "_1"},
        {"format": "aliases", "identifiers": [PHONE]},
    ],
)
def test_r19_an_unmapped_format_is_refused_and_not_passed_over(subject: object) -> None:
    """It is well-formed, and names nobody here."""
    assert refusal(subject) == "unmapped_subject"


def test_a_format_that_nobody_knows_is_told_apart() -> None:
    """It may be anything, so it is no question of mapping."""
    assert refusal({"format": "telepathy", "id": "alice"}) == "unknown_format"


def test_aliases_are_one_person_with_several_names() -> None:
    """Each name once; a name that means nothing here does not hinder the others."""
    subject = {"format": "aliases", "identifiers": [ALICE, PHONE, {"format": "telepathy"}, BY_ID, ALICE]}
    assert subject_keys(subject, OKTA) == ("email:alice@example.com", f"sub:{ORG}|00uALICE")


def test_aliases_do_not_nest_and_do_not_pile_up() -> None:
    """RFC 9493 §3.2.8 forbids the first; the second is a way to keep the log busy."""
    inner = {"format": "aliases", "identifiers": [ALICE]}
    assert refusal({"format": "aliases", "identifiers": [inner]}) == "malformed_subject"
    assert refusal({"format": "aliases", "identifiers": [ALICE] * (MAX_ALIASES + 1)}) == "malformed_subject"
    assert refusal({"format": "aliases", "identifiers": []}) == "malformed_subject"
    assert refusal({"format": "aliases", "identifiers": [ALICE, 7]}) == "malformed_subject"


def test_a_complex_subject_without_a_session_is_all_of_its_user() -> None:
    """SSF 1.0 §3.2 with its format, and without one as Okta sends it."""
    named = {"user": BY_ID, "tenant": {"format": "opaque", "id": "T"}}
    assert subject_keys({"format": "complex", **named}, OKTA) == (f"sub:{ORG}|00uALICE",)
    assert subject_keys(named, OKTA) == (f"sub:{ORG}|00uALICE",)


def test_r20_a_session_of_our_own_provider_is_that_session() -> None:
    """Its id was recorded at sign-in; the user's other sessions go on."""
    session = {"format": "opaque", "id": "102-session"}
    assert subject_keys({"user": BY_ID, "session": session}, OWN) == (f"isid:{ORG}|102-session",)
    by_issuer = {"format": "iss_sub", "iss": ORG, "sub": "102-session"}
    assert subject_keys({"session": by_issuer}, OWN) == (f"isid:{ORG}|102-session",)


def test_a_session_that_we_cannot_know_widens_to_its_user() -> None:
    """Okta behind Cognito: its session ids never come here, and ending nothing would be worse."""
    session = {"format": "opaque", "id": "102-session"}
    assert subject_keys({"user": BY_ID, "session": session}, OKTA) == (f"sub:{ORG}|00uALICE",)
    assert refusal({"session": session}) == "unmapped_subject"
    assert refusal({"session": ALICE}, OWN) == "unmapped_subject"


@pytest.mark.parametrize("member", ["device", "tenant", "group", "org_unit", "application"])
def test_what_names_no_person_ends_nothing(member: str) -> None:
    """A whole tenant or device is nothing that sessions here belong to."""
    assert refusal({"format": "complex", member: {"format": "opaque", "id": "X"}}) == "unmapped_subject"


HOSTILE: list[Any] = [
    None, [], "alice@example.com", 7, {}, {"format": None}, {"format": ["email"], "email": "a@b"},
    {"format": "email"}, {"format": "email", "email": ""}, {"format": "email", "email": "alice"},
    {"format": "email", "email": "a@evil@corp.com"}, {"format": "email", "email": "a @b.c"},
    {"format": "email", "email": "a@b\r\nX: y"}, {"format": "email", "email": ["a@b.c"]},
    {"format": "email", "email": "a@" + "b" * MAX_NAME}, {"format": "iss_sub", "iss": ORG},
    {"format": "iss_sub", "sub": "00u"}, {"format": "iss_sub", "iss": ORG, "sub": ""},
    {"format": "iss_sub", "iss": ORG, "sub": 7}, {"format": "iss_sub", "iss": ORG, "sub": "a\x00b"},
    {"format": "opaque"}, {"format": "opaque", "id": {}}, {"format": "opaque", "id": "\ud800"},
    {"format": "aliases", "identifiers": {"0": ALICE}}, {"format": "aliases", "identifiers": [ALICE, {"format": "email"}]}, {"format": "complex"}, {"format": "complex", "user": "alice"},
    {"user": {"user": BY_ID}}, {"user": []},
]  # fmt: skip
"""Subjects that are none."""


@pytest.mark.parametrize("subject", HOSTILE, ids=[repr(each)[:50] for each in HOSTILE])
def test_what_is_no_subject_is_refused(subject: object) -> None:
    """As malformed, in every namespace."""
    assert {refusal(subject, space) for space in (OKTA, BEHIND, OWN)} == {"malformed_subject"}


def test_no_name_can_pose_as_one_of_another_namespace() -> None:
    """A bar in a name stays in the name."""
    posing = {"format": "opaque", "id": "x|https://other.example|alice"}
    assert subject_keys(posing, OKTA) == (f"sub:{ORG}|x|https://other.example|alice",)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["email", "iss_sub", "opaque"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["format", "email", "iss", "sub", "id", "identifiers", "user", "session", "tenant", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(subject=values, namespace=st.sampled_from([OKTA, BEHIND, OWN]))
def test_any_subject_is_keys_of_this_namespace_or_refused(subject: object, namespace: Namespace) -> None:
    """And no key reaches another issuer, or everybody."""
    with suppress(ProviderError):
        keys = subject_keys(subject, namespace)
        assert keys
        allowed = (f"sub:{ORG}|", f"isid:{ORG}|", "idp:Okta|", "email:")
        assert all(key.startswith(allowed) for key in keys)
