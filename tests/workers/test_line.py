"""A child's end of its line."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

from gateway.workers.line import Line


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_messages_go_both_ways_however_they_are_cut() -> None:
    """A message may come in pieces, and several at once."""
    ours, theirs = socket.socketpair()
    heard: list[Any] = []
    line = Line(theirs, on_message=heard.append, ended=lambda: heard.append("end"))
    line.say(ready=True, details={"state": "ok"})
    assert json.loads(ours.recv(4_096)) == {"ready": True, "details": {"state": "ok"}}
    for piece in (b'{"a": 1}\n{"b"', b": 2}\n"):
        ours.send(piece)
        await settled()
    assert heard == [{"a": 1}, {"b": 2}]
    ours.close()
    await settled()
    assert heard[-1] == "end"
    theirs.close()


async def test_a_parent_that_does_not_listen_holds_nobody_up() -> None:
    """What it does not take is dropped, and a parent that is gone is no error."""
    ours, theirs = socket.socketpair()
    line = Line(theirs, on_message=lambda _: None, ended=lambda: None)
    for _ in range(10_000):
        line.say(text="x" * 1_000)
    ours.close()
    await settled()
    line.say(text="gone")
    theirs.close()
