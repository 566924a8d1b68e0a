"""Sessions kept for their tickets, in Redis: one hash for each, which goes with the session's absolute deadline.

Reading is what every request waits for that meets a session this process does not have in memory. All that is wanted
while a question is under way shares the next one, so a process that has just started, and is asked by everybody at the
same time, asks some hundred times as rarely.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Final

from gateway.state.contract.tickets import Absent, Found, Overtaken, StoredSession, Unavailable
from gateway.state.redis.companion import WITHIN, RedisCompanionStore
from gateway.state.redis.link import Reply
from gateway.state.redis.place import RedisPlace

AT_ONCE: Final = 128
"""Sessions in one question: with 2 KB each far less than Redis and the network pass in a quarter of a second."""

CREATE: Final = """
local known = redis.call('HGET', KEYS[1], 'sealed')
if known then
  return known == ARGV[1] and 1 or 0
end
redis.call('HSET', KEYS[1], 'revision', 1, 'sealed', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""
"""KEYS a session's. ARGV: sealed; seconds. Answers 1 if it is kept, also when the answer to the first try was lost."""

REPLACE: Final = """
local known = redis.call('HGET', KEYS[1], 'revision')
if not known then
  return -1
end
if known ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'sealed', ARGV[2])
return redis.call('HINCRBY', KEYS[1], 'revision', 1)
"""
"""The same key. ARGV: a revision; what is to replace it, sealed. Answers the next revision, 0 where it is another one
by now, -1 where nothing is there. The key's time goes on.
"""


class RedisTickets(RedisCompanionStore):
    """See :class:`gateway.state.contract.tickets.Tickets` for the contract.

    :param within: seconds in which Redis has to answer.
    """

    def __init__(self, place: RedisPlace, *, within: float = WITHIN) -> None:
        super().__init__(place, "sessions", within=within)
        self._wanted: dict[str, asyncio.Future[Found]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._answered = True

    async def close(self) -> None:
        """Disconnect; whoever waits hears that there is no answer."""
        await super().close()
        if self._reading is not None:
            await asyncio.wait({self._reading})

    def health(self) -> str:
        """The last trouble, until a question is answered."""
        return "ok" if self._answered else f"sessions cannot be read: {self._link.why}"

    async def read(self, sid: str) -> Found:
        """With whatever else is wanted by then."""
        self._link.require_open()
        wanted = self._wanted.get(sid)
        if wanted is None:
            wanted = self._wanted[sid] = asyncio.get_running_loop().create_future()
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="read-sessions")
        return await asyncio.shield(wanted)

    async def create(self, sid: str, sealed: bytes, *, keep: int) -> bool:
        """One script, for a key must not be left without its end."""
        return self._received(await self._link.run(CREATE, (self._key(sid),), sealed, max(1, keep))) == 1

    async def replace(self, sid: str, revision: int, sealed: bytes) -> Found | Overtaken:
        """One script, so that of two one is too late."""
        answer = self._received(await self._link.run(REPLACE, (self._key(sid),), revision, sealed))
        match answer:
            case -1:
                return Absent()
            case 0:
                return Overtaken()
            case int():
                return StoredSession(answer, sealed)
        return Unavailable(self._link.why)

    async def remove(self, sid: str) -> bool:
        """At once; what is being written for it finds nothing to replace."""
        return await self._link.ask(("DEL", self._key(sid))) is not None

    async def _read(self) -> None:
        await asyncio.sleep(0)  # whoever wants one in this round of the loop comes along
        while self._wanted:
            some = dict(islice(self._wanted.items(), AT_ONCE))
            for sid in some:
                del self._wanted[sid]
            try:
                found = await self._ask(list(some))
            except RuntimeError:  # closed meanwhile
                found = {}
            for sid, waiting in some.items():
                waiting.set_result(found.get(sid) or Unavailable(self._link.why))

    async def _ask(self, sids: list[str]) -> dict[str, Found]:
        replies = await self._link.ask(*(("HMGET", self._key(sid), "revision", "sealed") for sid in sids))
        self._answered = replies is not None
        return {sid: _found(reply) for sid, reply in zip(sids, replies or (), strict=False)}

    def _received(self, answer: Reply) -> Reply:
        self._answered = answer is not None
        return answer

    def _key(self, sid: str) -> str:
        return self._link.key("session", sid)


def _found(reply: Reply) -> Found:
    match reply:
        case [bytes() as revision, bytes() as sealed] if revision.isdigit():
            return StoredSession(int(revision), sealed)
    return Absent()
