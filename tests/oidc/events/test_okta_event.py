from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import ProviderError
from gateway.oidc.events.okta_event import MAX_EVENTS, OktaEvent, read_delivery, verification
from gateway.oidc.events.subject_ids import Namespace

ORG = "https://example.okta.com"
ALICE = {"id": "00uALICE", "type": "User", "alternateId": "Alice@example.com", "displayName": "Alice"}
ADMIN = {"id": "00uADMIN", "type": "User", "alternateId": "admin@example.com"}
OKTA_ITSELF = {"id": "okta", "type": "SystemPrincipal", "alternateId": "system@okta.com"}
AN_APP = {"id": "0oaAPP", "type": "AppInstance", "alternateId": "app"}


def event(kind: str = "user.session.end", **changes: Any) -> dict[str, Any]:
    """An event as in the System Log."""
    return {
        "uuid": "uuid-1", "published": "2027-01-15T08:00:00.000Z", "eventType": kind, "actor": ALICE,
        "target": None, "outcome": {"result": "SUCCESS"},
        "authenticationContext": {"externalSessionId": "102abc"}, **changes,
    }  # fmt: skip


def delivery(*events: Any) -> bytes:
    """A delivery as Okta posts it."""
    return json.dumps({"eventType": "com.okta.event_hook", "data": {"events": list(events)}}).encode()


def read(*events: Any) -> tuple[OktaEvent, ...]:
    """A delivery, read."""
    return read_delivery(delivery(*events))


def test_somebody_who_signs_out_is_the_actor() -> None:
    """Okta names nobody else then, or the same user again."""
    for target in (None, [], [AN_APP], [ALICE]):
        (found,) = read(event(target=target))
        assert found.user is not None
        assert (found.user.user_id, found.by_user, found.event_id) == ("00uALICE", True, "uuid-1")
        assert found.published == 1_800_000_000


@pytest.mark.parametrize("actor", [ADMIN, OKTA_ITSELF])
def test_r21_whom_somebody_else_signs_out_is_the_target(actor: dict[str, str]) -> None:
    """An administrator or a policy has ended the session: that is no plain sign-out."""
    (found,) = read(event(actor=actor, target=[AN_APP, ALICE]))
    assert found.user is not None
    assert (found.user.user_id, found.by_user) == ("00uALICE", False)


@pytest.mark.parametrize(
    "kind", ["user.session.clear", "user.lifecycle.deactivate", "user.lifecycle.suspend"]
)
def test_r21_what_an_administrator_does_is_never_about_the_administrator(kind: str) -> None:
    """Without a target it is about nobody."""
    (found,) = read(event(kind, actor=ADMIN, target=[ALICE]))
    assert found.user is not None
    assert (found.user.user_id, found.by_user) == ("00uALICE", False)
    assert read(event(kind, actor=ADMIN))[0].user is None


def test_other_events_are_read_no_further() -> None:
    """Whatever they hold."""
    assert read(event("user.session.start", actor=7, target="x"))[0].user is None


@pytest.mark.parametrize("result", ["FAILURE", "DENY", "SKIPPED"])
def test_what_failed_at_okta_did_not_happen(result: str) -> None:
    """The System Log has such events too."""
    assert read(event(outcome={"result": result})) == ()


def test_a_user_has_several_names() -> None:
    """The id and the login; the login is an address and, behind Cognito, the NameID too."""
    (found,) = read(event())
    assert found.user is not None
    assert found.user.keys(None) == ("email:alice@example.com",)
    assert found.user.keys(Namespace(ORG)) == (f"sub:{ORG}|00uALICE", "email:alice@example.com")
    assert found.user.keys(Namespace(ORG, "Okta")) == (
        f"sub:{ORG}|00uALICE",
        "idp:Okta|00uALICE",
        "email:alice@example.com",
        "idp:Okta|Alice@example.com",
    )


def test_a_login_that_is_no_address_is_none() -> None:
    """It reaches nobody's e-mail key."""
    (nameless,) = read(event(actor={"type": "User", "id": "00uALICE"}))
    assert nameless.user is not None
    assert nameless.user.keys(Namespace(ORG)) == (f"sub:{ORG}|00uALICE",)
    for login in ("alice", "a@evil@corp.com", "@", "unknown"):
        (found,) = read(event(actor={"type": "User", "alternateId": login}))
        assert found.user is not None
        assert found.user.keys(None) == ()


HOSTILE = [
    b"", b"null", b"[]", b"{}", b'{"data":null}', b'{"data":{"events":{}}}', b'{"data":{"events":[null]}}',
    b'{"data":{"events":[{}]}}', b'{"data":{"events":[{"eventType":7}]}}', b'{"data":{},"data":{"events":[]}}',
    delivery(*[event()] * (MAX_EVENTS + 1)), b'{"data":{"events":[', b"\xff\xfe", b'{"data":' * 3000,
]  # fmt: skip
"""What is no delivery."""


@pytest.mark.parametrize("body", HOSTILE, ids=[repr(each)[:40] for each in HOSTILE])
def test_what_is_no_delivery_is_refused(body: bytes) -> None:
    """As malformed."""
    with pytest.raises(ProviderError, match="malformed_delivery"):
        read_delivery(body)


@pytest.mark.parametrize(
    "published", [None, "", "yesterday", 7, [], "9" * 500, "2027-13-01T00:00:00Z", "0001-01-01"]
)
def test_a_time_that_is_none_is_left_out(published: Any) -> None:
    """The event itself still counts."""
    (found,) = read(event(published=published))
    assert found.user is not None
    assert found.published is None or published == "0001-01-01"


@pytest.mark.parametrize(
    "entity",
    [None, "alice", {}, {"type": "User"}, {"type": "User", "id": ""}, {"type": "User", "id": "a\nb"}],
)
def test_who_is_no_user_is_nobody(entity: Any) -> None:
    """No name is made up, cut or cleaned."""
    assert read(event(actor=entity))[0].user is None


def test_the_question_is_its_own_answer() -> None:
    """Kept to letters and digits and what base64 and URLs have besides: no markup, no line end, nothing endless."""
    assert verification("vK-_9.+/=~Az") == "vK-_9.+/=~Az"
    hostile = ("", "<script>", "a b", "a\r\nX: y", "é", '"', "a" * 513, "a\n", "a\x00")
    assert [verification(each) for each in hostile] == [None] * len(hostile)


entities = st.none() | st.fixed_dictionaries(
    {"type": st.sampled_from(["User", "AppInstance", 7, None])},
    optional={"id": st.text(max_size=9) | st.integers(), "alternateId": st.text("a@.é\n", max_size=9)},
)


@settings(deadline=None)
@given(
    body=st.binary(max_size=200)
    | st.lists(
        st.fixed_dictionaries(
            {"eventType": st.sampled_from(["user.session.end", "user.session.clear", "x"]) | st.integers()},
            optional={
                "uuid": st.text(max_size=9) | st.integers(),
                "published": st.text("0123456789-:TZ+.", max_size=30) | st.floats(),
                "actor": entities,
                "target": st.lists(entities, max_size=3) | st.integers(),
                "outcome": st.none() | st.dictionaries(st.just("result"), st.integers() | st.just("DENY")),
            },
        ),
        max_size=4,
    ).map(lambda events: delivery(*events))
)
def test_any_delivery_is_read_or_refused(body: bytes) -> None:
    """And the keys of whoever it names are this org's."""
    with suppress(ProviderError):
        for found in read_delivery(body):
            keys = found.user.keys(Namespace(ORG, "Okta")) if found.user else ()
            assert all(key.startswith((f"sub:{ORG}|", "idp:Okta|", "email:")) for key in keys)


@settings(deadline=None)
@given(challenge=st.text(max_size=600))
def test_any_question_is_answered_harmlessly_or_not_at_all(challenge: str) -> None:
    """Anybody can ask."""
    answer = verification(challenge)
    assert answer is None or (
        answer == challenge and answer.isascii() and not set(answer) & set("<>\"'&\\\r\n ")
    )
