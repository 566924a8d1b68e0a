"""Waiting for refresh tokens to be revoked, which happens beside the sign-out and after it."""

from __future__ import annotations

import asyncio

from gateway.app.wiring import Gateway
from tests.fakes.patience import PATIENCE
from tests.flows.conftest import Stand


async def nothing_waits(gateway: Gateway, within: float = PATIENCE) -> None:
    """Every token that was to be revoked is settled."""
    tokens = gateway.tokens
    async with asyncio.timeout(within):
        while True:
            idle = (
                not tokens._beside and not tokens._mine
            )  # before the question: what was begun is in its answer
            waiting = await tokens._store.waiting()
            if idle and waiting is not None and waiting.count == 0:
                return
            await asyncio.sleep(0.02)


def of_tokens(stand: Stand) -> list[bool]:
    """Of each refresh token that Cognito gave out, whether it is revoked."""
    return [token.revoked for token in stand.idp.cognito.common.issued if token.kind == "refresh"]


def called(stand: Stand) -> list[str]:
    """The paths that Cognito was asked for."""
    return [call.path for call in stand.idp.cognito.common.calls]
