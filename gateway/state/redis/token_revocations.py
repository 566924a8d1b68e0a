"""Refresh tokens to be revoked, of many hosts, in Redis. The server's clock counts, so no two clocks are compared.

Two keys: ``revocations:due``, a sorted set of the records' names by the second when each is due; and
``revocations:tokens``, a hash of the records by name. They go by themselves when no gateway is left to see to them.
"""

from __future__ import annotations

from typing import Final

from gateway.state.contract.token_revocations import AT_ONCE, LARGEST, MOST, SLOTS, Taken, Waiting
from gateway.state.redis.companion import WITHIN, RedisCompanionStore
from gateway.state.redis.link import Reply
from gateway.state.redis.place import RedisPlace

MARGIN: Final = 3_600
"""Seconds for which the keys outlive the deadline of the last record, so that somebody can say that it was given up."""

PARK: Final = """
local now = tonumber(redis.call('TIME')[1])
local free
for slot = 0, ARGV[7] - 1 do
  local name = ARGV[1] .. '/' .. slot
  local known = redis.call('HGET', KEYS[2], name)
  if not known then
    free = free or name
  elseif cmsgpack.unpack(known)[1] == ARGV[2] then
    return 1
  end
end
if not free or redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[6]) then
  return 0
end
local latest, deadline = now + ARGV[4], now + ARGV[5]
redis.call('HSET', KEYS[2], free, cmsgpack.pack({ARGV[2], 0, latest, deadline}))
redis.call('ZADD', KEYS[1], math.min(latest, now + ARGV[3]), free)
for i = 1, 2 do
  redis.call('EXPIRE', KEYS[i], math.max(redis.call('TTL', KEYS[i]), ARGV[5] + ARGV[8]))
end
return 1
"""
"""KEYS due, tokens. ARGV: a session; sealed; seconds until it is due, is due at the latest, and is given up; how many
records there may be; how many of one session; the margin. Answers 1 if it is kept.
"""

MOVE: Final = """
local now, moved = tonumber(redis.call('TIME')[1]), 0
for slot = 0, ARGV[3] - 1 do
  local name = ARGV[1] .. '/' .. slot
  local known = redis.call('HGET', KEYS[2], name)
  if known then
    local sealed, tries, latest = unpack(cmsgpack.unpack(known))
    if tries == 0 then
      redis.call('ZADD', KEYS[1], math.min(latest, now + ARGV[2]), name)
      moved = moved + 1
    end
  end
end
return moved
"""
"""The same keys. ARGV: a session; seconds; how many records of one session. Answers how many it has moved."""

TAKE: Final = """
local now, found = tonumber(redis.call('TIME')[1]), {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])) do
  local known = redis.call('HGET', KEYS[2], name)
  if known then
    local sealed, tries, latest, deadline = unpack(cmsgpack.unpack(known))
    redis.call('HSET', KEYS[2], name, cmsgpack.pack({sealed, tries + 1, latest, deadline}))
    redis.call('ZADD', KEYS[1], now + ARGV[1], name)
    found[#found + 1] = {name, sealed, tries + 1, deadline - now}
  else
    redis.call('ZREM', KEYS[1], name)
  end
end
return found
"""
"""The same keys. ARGV: seconds of the lease; how many records. Answers name, sealed, tries and seconds left of each."""

PUT_OFF: Final = """
return redis.call('ZADD', KEYS[1], 'XX', 'CH', redis.call('TIME')[1] + ARGV[2], ARGV[1])
"""
"""KEYS due. ARGV: a name; seconds. A record that is finished does not come back."""

FINISH: Final = """
return redis.call('HDEL', KEYS[2], ARGV[1]) + redis.call('ZREM', KEYS[1], ARGV[1])
"""
"""KEYS due, tokens. ARGV: a name."""

WAITING: Final = """
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local due = first[2] and {first[2] - redis.call('TIME')[1]} or {}
return {redis.call('HLEN', KEYS[2]), unpack(due)}
"""
"""KEYS due, tokens. Answers how many there are and, unless that is none, in how many seconds the next one is due."""


class RedisTokenRevocations(RedisCompanionStore):
    """See :class:`gateway.state.contract.token_revocations.TokenRevocations` for the contract.

    :param within: seconds in which Redis has to answer.
    """

    def __init__(self, place: RedisPlace, *, within: float = WITHIN) -> None:
        super().__init__(place, "token revocations", within=within)
        self._keys = (self._link.key("revocations", "due"), self._link.key("revocations", "tokens"))

    async def park(self, sid: str, sealed: bytes, *, due: int, latest: int, keep: int) -> bool:
        """One script. As durable as Redis's own file and replicas are."""
        if len(sealed) > LARGEST:
            return False
        return await self._run(PARK, sid, sealed, due, latest, keep, MOST, SLOTS, MARGIN) == 1

    async def move(self, sid: str, *, due: int) -> int | None:
        """One script."""
        answer = await self._run(MOVE, sid, due, SLOTS)
        return answer if isinstance(answer, int) else None

    async def take(self, *, lease: int) -> list[Taken]:
        """One script, so that of all processes one is given a record."""
        answer = await self._run(TAKE, lease, AT_ONCE)
        found = [_taken(each) for each in answer] if isinstance(answer, list) else []
        return [each for each in found if each is not None]

    async def put_off(self, name: str, *, due: int) -> None:
        """Whoever has taken it over meanwhile keeps it longer."""
        await self._link.run(PUT_OFF, self._keys[:1], name, due)

    async def finish(self, name: str) -> None:
        """One script."""
        await self._run(FINISH, name)

    async def waiting(self) -> Waiting | None:
        """One script."""
        match await self._run(WAITING):
            case [int() as count]:
                return Waiting(count, None)
            case [int() as count, int() as due_in]:
                return Waiting(count, due_in)
        return None

    async def _run(self, script: str, *arguments: str | int | bytes) -> Reply:
        return await self._link.run(script, self._keys, *arguments)


def _taken(reply: Reply) -> Taken | None:
    match reply:
        case [bytes() as name, bytes() as sealed, int() as tries, int() as left]:
            return Taken(name.decode(), sealed, tries, left)
    return None
