"""Refreshes of many hosts, in Redis. The times of all keys run in the server, so no two clocks are compared.

For each session there are three keys at most: ``generation``, the latest one published, for as long as it is to be
known; ``successor``, that generation sealed, for as long as it is handed out; ``refreshing``, who is at it and from
which generation, for as long as the lease.

Replicas of the server follow it without confirming. A failover may forget a lease or a publication of its last moments;
the session is then refreshed twice, or once in vain.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Final

from gateway.core import dice
from gateway.state.redis_link import Reply
from gateway.state.redis_place import RedisPlace
from gateway.state.redis_side import WITHIN, SideLink
from gateway.state.refreshes import Busy, Claim, Granted, Outdated, Succeeded, Unavailable

CLAIM: Final = """
local known = redis.call('MGET', KEYS[1], KEYS[2])
if known[1] and tonumber(known[1]) > tonumber(ARGV[1]) then
  return known
end
return redis.call('SET', KEYS[3], ARGV[2], 'NX', 'EX', ARGV[3]) and 1 or 0
"""
"""KEYS generation, successor, refreshing. ARGV: a generation, who asks, seconds. Answers 1 where it is granted, 0
where somebody else is at it, or the later generation and its successor.
"""

PUBLISH: Final = """
local known = redis.call('GET', KEYS[1])
if known and tonumber(known) >= tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[4])
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
redis.call('DEL', KEYS[3])
return 1
"""
"""The same keys. ARGV: a generation, sealed; seconds to hand it out; seconds to know it. Answers 1 if it was taken."""

RELEASE: Final = """
return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0
"""
"""KEYS refreshing. ARGV: who gives back. A lease that has gone over to somebody else is left alone."""


class RedisRefreshes:
    """See :class:`gateway.state.refreshes.Refreshes` for the contract.

    :param within: seconds in which Redis has to answer.
    """

    def __init__(self, place: RedisPlace, *, within: float = WITHIN) -> None:
        self._side = SideLink(place, "refreshes", within=within)
        self._name = dice.token(9)

    async def open(self) -> None:
        """Connects with the first question."""
        self._side.open()

    async def close(self) -> None:
        """Disconnect."""
        await self._side.close()

    async def claim(self, sid: str, generation: int, *, lease: int) -> Claim:
        """One script, so that of all processes one is granted it."""
        answer = await self._side.run(CLAIM, self._keys(sid), generation, self._holder(generation), lease)
        if answer == 1:
            return Granted()
        return Busy() if answer == 0 else _later(answer) or Unavailable(self._side.why)

    async def later(self, sid: str, generation: int) -> Succeeded | Outdated | None:
        """A read."""
        replies = await self._side.ask(("MGET", *self._keys(sid)[:2]))
        found = _later(replies[0]) if replies else None
        return found if found is not None and found.generation > generation else None

    async def publish(self, sid: str, generation: int, sealed: bytes, *, visible: int, keep: int) -> bool:
        """Replaces what is known, unless that is as late."""
        visible = max(1, visible)
        text = b64encode(sealed).decode()
        return (
            await self._side.run(PUBLISH, self._keys(sid), generation, text, visible, max(visible, keep)) == 1
        )

    async def release(self, sid: str, generation: int) -> None:
        """Ends the lease, if it is still ours."""
        await self._side.run(RELEASE, self._keys(sid)[2:], self._holder(generation))

    def _holder(self, generation: int) -> str:
        return f"{self._name}/{generation}"

    def _keys(self, sid: str) -> tuple[str, ...]:
        return tuple(self._side.key(kind, sid) for kind in ("generation", "successor", "refreshing"))


def _later(answer: Reply) -> Succeeded | Outdated | None:
    match answer:
        case [bytes() as generation, bytes() as sealed] if generation.isdigit():
            return Succeeded(int(generation), b64decode(sealed))
        case [bytes() as generation, None] if generation.isdigit():
            return Outdated(int(generation))
    return None
