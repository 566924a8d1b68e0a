"""What an application may not say: none of it reaches a client as anything but a failure."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conformance import strict
from tests.conformance.corpus import expanded
from tests.conformance.recorder import Call, plain, saying
from tests.conformance.wire import Door
from tests.fakes.patience import PATIENCE

_FILE = Path(__file__).parents[1] / "corpus" / "http" / "responses" / "responses.yaml"
CASES: list[dict[str, Any]] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
_SECOND = plain(b"the answer of somebody else")


@pytest.mark.parametrize("split", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_an_application_that_breaks_the_rules(door: Door, case: dict[str, Any], split: bool) -> None:
    """502 and a good connection, or a visibly broken message; never the response behind it."""
    sent = expanded(case["send"].encode("latin-1")) + _SECOND
    over = threading.Event()

    def script(call: Call) -> None:
        call.body()
        try:
            for at in range(len(sent) if split and len(sent) < 2_000 else 1):
                call.send(sent[at : at + 1] if split and len(sent) < 2_000 else sent)
            call.gone(0.2)
        finally:
            over.set()
            call.close()

    with door.open() as wire:
        wire.send(door.request(door.upstream.on(script)))
        if case["expect"] == "broken":
            try:
                answer = wire.response()
            except strict.IncompleteError:
                return
            assert answer.status == 502, case["why"]  # found out before its head had gone
        else:
            answer = wire.response()
            assert (answer.status == 502) == (case["expect"] == 502), (case["why"], answer.status)
        assert b"evil" not in answer.raw
        if case["expect"] == "pass":
            assert answer.body == case["body"].encode()
            assert answer.value(b"connection") is None
        assert over.wait(PATIENCE)  # only while nobody has asked again can late bytes be told from an answer
        assert wire.get("/").body == b"application"


def test_a_response_is_never_taken_for_anothers(door: Door) -> None:
    """Surplus bytes behind a response end their connection: the next request, by anybody, gets its own answer."""
    path = door.upstream.on(saying(plain(b"mine") + _SECOND))
    with door.open() as wire, door.open() as other:
        for _ in range(5):
            assert wire.get(path).body == b"mine"
            assert other.get("/").body == b"application"
