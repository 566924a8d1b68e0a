"""`POST /__send`, and what it does not let anybody do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.demo.okta.outbound.sender import KINDS
from tests.demo.lab import Lab
from tests.demo.receiver import Receiver

DOCUMENTATION = Path(__file__).parents[4] / "docs" / "demo.md"


async def ask(lab: Lab, body: object, **headers: str) -> tuple[int, Any]:
    async with lab.browser.session.post(f"{lab.options.okta}/__send", json=body, headers=headers) as response:
        return response.status, await response.json(content_type=None) if response.status != 421 else {}


async def test_one_message_and_its_answer(lab: Lab, receiver: Receiver) -> None:
    """Status and body of the receiver come back; control's list of calls is not touched."""
    receiver.status, receiver.text = 401, "who are you?"

    status, said = await ask(
        lab, {"kind": "universal_logout", "user": "bob@example.com", "variant": "alg_none"}
    )

    answer = {"status": 401, "body": "who are you?"}
    assert (status, said) == (200, {**answer, "answers": [answer]})
    assert receiver.taken[0].json()["sub_id"]["email"] == "bob@example.com"
    assert list(lab.idp.okta.common.calls) == []


async def test_a_message_can_be_repeated_to_the_byte(lab: Lab, receiver: Receiver) -> None:
    """As somebody does who has overheard it."""
    _, said = await ask(lab, {"kind": "logout_token", "times": 2})

    assert [answer["status"] for answer in said["answers"]] == [204, 204]
    assert receiver.taken[0].body == receiver.taken[1].body


async def test_somebody_unknown_can_be_named(lab: Lab, receiver: Receiver) -> None:
    """For what a receiver says of people it has never seen."""
    await ask(lab, {"kind": "universal_logout", "user": "nobody@example.com"})

    assert receiver.taken[0].json()["sub_id"]["email"] == "nobody@example.com"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ([], "object"),
        ({}, "kind is one of universal_logout, event_hook"),
        ({"kind": "logout_token", "variant": "x"}, "variant is one of good"),
        ({"kind": "logout_token", "format": "email"}, "there are to, user, variant"),
        ({"kind": "event_hook", "events": "user.session.end"}, "events is a list"),
        ({"kind": "event_hook", "events": []}, "events is a list"),
        ({"kind": "event_hook", "events": ["x"]}, "events is one of user.session.end"),
        ({"kind": "event_hook", "times": 21}, "times is 1 to 20"),
        ({"kind": "event_hook", "times": "2"}, "times is 1 to 20"),
        ({"kind": "event_hook", "to": "https://app.example.com/"}, "of this machine"),
        ({"kind": "event_hook", "to": "http://192.0.2.1/"}, "of this machine"),
        ({"kind": "event_hook", "to": "http://app.localhost.example.com/"}, "of this machine"),
        ({"kind": "event_hook", "to": "http://app.localhost@example.com/"}, "of this machine"),
        ({"kind": "event_hook", "to": "ftp://localhost/"}, "of this machine"),
    ],
)
async def test_what_cannot_be_sent_is_explained(lab: Lab, receiver: Receiver, body: object, why: str) -> None:
    """Nothing is sent then, and never to another machine."""
    status, said = await ask(lab, body)

    assert status == 400
    assert why in said["error"]
    assert receiver.taken == []


async def test_r29_web_pages_of_others_cannot_use_it(lab: Lab, receiver: Receiver) -> None:
    """The exact Host and a JSON content type are needed."""
    url = f"{lab.options.okta}/__send"
    async with lab.browser.session.post(url, data='{"kind": "event_hook"}') as response:
        assert response.status == 415
    status, _ = await ask(lab, {"kind": "event_hook"}, Host=lab.options.okta.removeprefix("http://").upper())
    assert status == 421
    assert receiver.taken == []


async def test_a_receiver_that_is_not_there(lab: Lab) -> None:
    """Status 0, and the kind of failure."""
    status, said = await ask(lab, {"kind": "event_hook", "to": "http://127.0.0.1:9/"})

    assert (status, said["status"]) == (200, 0)
    assert "Connect" in said["body"]


def test_the_documentation_lists_every_kind() -> None:
    """docs/demo.md has a row for each with its path, and every choice, event and variant somewhere in the section."""
    section = DOCUMENTATION.read_text().partition("## What Okta sends")[2].partition("\n## ")[0]

    for name, kind in KINDS.items():
        assert f"| `{name}` | `{kind.path}` |" in section
        for word in (
            *kind.variants,
            *kind.events,
            *(word for words in kind.choices.values() for word in words),
        ):
            assert f"`{word}`" in section, word
