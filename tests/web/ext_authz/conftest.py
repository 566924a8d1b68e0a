"""A listener for calls, with whoever answers them in the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest

from gateway.app.accepting import listening_socket
from gateway.settings.addresses import ListenAddress
from gateway.web.ext_authz.call import GrpcCall
from gateway.web.ext_authz.listener import QuestionListener
from tests.fakes.door import eventually
from tests.fakes.grpc_caller import GrpcCaller
from tests.fakes.patience import PATIENCE

LONGEST = 100_000


class Answering:
    """Calls that have come; each is answered with its own message, or waits until the test answers it.

    :ivar books: codes of what was no question.
    """

    def __init__(self) -> None:
        self.calls: list[GrpcCall] = []
        self.books: list[str] = []
        self.callers: list[GrpcCaller] = []
        self.waits = False
        self.port = 0
        self.listener = QuestionListener(
            self.ask, cast("Any", self), longest=LONGEST, seconds=30.0, keep_alive=75.0
        )

    def ask(self, call: GrpcCall) -> None:
        self.calls.append(call)
        if not self.waits:
            self.answer(call)

    @staticmethod
    def answer(call: GrpcCall) -> None:
        call.reply(call.asked)
        call.settled()

    def unreadable(self, _: str, code: str) -> None:
        self.books.append(code)

    async def caller(self) -> GrpcCaller:
        self.callers.append(await GrpcCaller.at(self.port))
        return self.callers[-1]

    async def close(self) -> None:
        for caller in self.callers:
            caller.transport.abort()
            await asyncio.wait_for(caller.ended.wait(), PATIENCE)
        await self.listener.drain(0.0)
        await eventually(lambda: not self.listener.connections)
        for _ in range(3):  # uvloop lets go of a socket in the turns after its protocol has heard of the end
            await asyncio.sleep(0)


@pytest.fixture
async def answering() -> AsyncIterator[Answering]:
    async with AsyncExitStack() as opened:
        made = Answering()
        sock = listening_socket(ListenAddress("127.0.0.1", 0), "listen")
        made.port = sock.getsockname()[1]
        await made.listener.listen(sock, None, 10)
        opened.push_async_callback(made.close)
        yield made
