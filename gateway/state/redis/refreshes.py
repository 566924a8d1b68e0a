"""Refreshes of many hosts, in Redis. The times of all keys run in the server, so no two clocks are compared.

For each session there are four keys at most: ``generation``, the latest one published, for as long as it is to be
known; ``successor``, that generation sealed, for as long as it is handed out; ``refreshing``, who is at it and from
which generation, for as long as the lease; ``tries``, a hash, for as long as the session can live: the last generation
that was to be refreshed, ``by`` whom, how that ``stands`` (``open``, ``spent`` when nobody knows what came of it,
``kept`` when nothing did), and in ``doubt`` the last one whose token may have been sent twice in vain.

To hold a lease takes no memory, so it is held while the server has none to publish with.

Replicas of the server follow it without confirming, so a failover, or a restart, may forget a lease or a publication of
its last moments. It shows in another replication id of the server (scripts.py has more of that): for some seconds
then nobody is granted anything, and every process says again what it has published of late and holds the leases that it
had. What is lost after all is what a process had published that is not heard of in these seconds.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from gateway.core import clock, dice
from gateway.core.session.lifecycle import HEAR_OUT
from gateway.state.contract.refreshes import (
    Ahead,
    Busy,
    Claim,
    Granted,
    Later,
    Outdated,
    Succeeded,
    Unavailable,
)
from gateway.state.redis.companion import RETRY_EVERY, WITHIN, RedisCompanionStore
from gateway.state.redis.link import Reply
from gateway.state.redis.place import RedisPlace

RECENT: Final = 60.0
"""Seconds: what a server may forget in a failover is younger by far."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""Of publications that are remembered for that: some thousand sessions."""

_HEAD: Final = """
local MINE = tonumber(ARGV[1])
local known = redis.call('MGET', KEYS[1], KEYS[2])
if known[1] and tonumber(known[1]) > MINE then
  return known
end
local tries = redis.call('HMGET', KEYS[4], 'generation', 'stands', 'doubt')
local last, stands, doubt = tonumber(tries[1] or -1), tries[2], tonumber(tries[3] or -2)
if last > MINE then
  return 2
end
"""

CLAIM: Final = (
    _HEAD
    + """
local term = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') or ''
local life = redis.call('HMGET', KEYS[5], 'term', 'since')
local now, since = tonumber(redis.call('TIME')[1]), tonumber(life[2] or 0)
if life[1] ~= term then
  since = life[1] and now or 0
  redis.call('HSET', KEYS[5], 'term', term, 'since', since)
end
local function keep_life()
  if redis.call('TTL', KEYS[5]) < tonumber(ARGV[4]) then
    redis.call('EXPIRE', KEYS[5], ARGV[4])
  end
end
if now - since < tonumber(ARGV[6]) then
  keep_life()
  return 0
end
-- Before any EXPIRE: without memory Redis refuses a script at its first write, and not behind one that needs none.
if not redis.call('SET', KEYS[3], ARGV[2], 'NX', 'EX', ARGV[3]) then
  local earlier = redis.call('HMGET', KEYS[4], 'call', 'said')
  return earlier[1] == ARGV[5] and tonumber(earlier[2]) or 0
end
keep_life()
local again = last == MINE and stands ~= 'kept'
if again then
  doubt = MINE
end
local grant = doubt < MINE - 1 and 1 or 3
if again and stands == 'open' then
  grant = 4
end
redis.call('HSET', KEYS[4], 'generation', ARGV[1], 'stands', 'open', 'doubt', doubt, 'by', ARGV[2],
  'call', ARGV[5], 'said', grant)
redis.call('EXPIRE', KEYS[4], ARGV[4])
return grant
"""
)
"""KEYS generation, successor, refreshing, tries, life. ARGV: a generation, who asks, seconds of the lease, seconds to
know of the try, a name of the question, which may be asked again when its answer was lost; seconds in which nothing is
granted by a server that may have forgotten something. Answers 1 where it is granted, 3 where a refusal is not to be
believed, 4 where somebody is unheard of since; 0 where somebody else is at it, 2 where a later generation was in
somebody's hands, or that and its successor.
"""

RENEW: Final = (
    _HEAD
    + """
local holder = redis.call('GET', KEYS[3])
if not holder then
  redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[3])
  redis.call('HSET', KEYS[4], 'generation', ARGV[1], 'stands', 'open', 'by', ARGV[2])
  redis.call('EXPIRE', KEYS[4], ARGV[4])
elseif holder ~= ARGV[2] then
  return 0
else
  redis.call('EXPIRE', KEYS[3], ARGV[3])
end
return doubt < MINE - 1 and 1 or 3
"""
)
"""The same keys but the last, the first four arguments, and the same answers."""

PUBLISH: Final = """
local known = redis.call('MGET', KEYS[1], KEYS[2])
if known[1] and tonumber(known[1]) >= tonumber(ARGV[1]) then
  if known[1] == ARGV[1] and known[2] == ARGV[2] then
    return 1
  elseif known[1] == ARGV[1] and redis.call('EXISTS', KEYS[4]) == 1 then
    redis.call('HSET', KEYS[4], 'doubt', ARGV[1])
  end
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[4])
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
redis.call('DEL', KEYS[3])
if redis.call('HGET', KEYS[4], 'by') == ARGV[5] then
  redis.call('HDEL', KEYS[4], 'doubt')
end
return 1
"""
"""The same keys. ARGV: a generation, sealed; seconds to hand it out; seconds to know it; who asks. Answers 1 if it was
taken, now or before. Whoever was granted a token last and got another one for it has shown that it was good: nothing is
doubted any more. Where two have got one each for the same token, a refusal of either says nothing of the other.
"""

RELEASE: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
if redis.call('HGET', KEYS[2], 'generation') == ARGV[2] then
  redis.call('HSET', KEYS[2], 'stands', ARGV[3])
end
return redis.call('DEL', KEYS[1])
"""
"""KEYS refreshing, tries. ARGV: who gives back, which generation, how that stands. A lease that has gone over to
somebody else is left alone.
"""


_ANSWERS: Final[tuple[Claim, ...]] = (
    Busy(),
    Granted(),
    Ahead(),
    Granted(sure=False),
    Granted(sure=False, lapsed=True),
)


@dataclass(frozen=True, slots=True)
class _Published:
    generation: int
    text: str = field(repr=False)
    visible: int
    keep: int
    at: float


class RedisRefreshes(RedisCompanionStore):
    """See :class:`gateway.state.contract.refreshes.Refreshes` for the contract.

    :param within: seconds in which a Redis that is near has to answer.
    """

    def __init__(self, place: RedisPlace, *, within: float = WITHIN) -> None:
        super().__init__(place, "refreshes", within=within, patient=True)
        self._name = dice.token(9)
        self._recent: OrderedDict[str, _Published] = OrderedDict()
        self._recent_bytes = 0
        self._saying: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Disconnect."""
        for task in self._saying:
            task.cancel()
        await super().close()

    def say_again(self) -> None:
        """The server may have forgotten its last moments: publish once more what was published in them."""
        saying = asyncio.get_running_loop().create_task(self._say_again(), name="say-refreshes-again")
        self._saying.add(saying)
        saying.add_done_callback(self._saying.discard)

    async def _say_again(self) -> None:
        now = clock.elapsed()
        for sid, one in list(self._recent.items()):
            if one.at > now - RECENT:
                gone = round(now - one.at)
                await self._publish(sid, one, visible=one.visible - gone, keep=one.keep - gone)

    async def claim(self, sid: str, generation: int, *, lease: int, keep: int = 0) -> Claim:
        """One script, so that of all processes one is granted it."""
        holder, call = self._holder(generation), dice.token(9)
        arguments = (generation, holder, lease, max(lease, keep), call, HEAR_OUT)
        keys = (*self._keys(sid), self._link.key("refreshes"))
        answer = await self._link.run(CLAIM, keys, *arguments)
        if answer is None and self._link.unheard:
            await asyncio.sleep(RETRY_EVERY)
            answer = await self._link.run(CLAIM, keys, *arguments)
        return self._claim_of(answer)

    async def renew(self, sid: str, generation: int, *, lease: int, keep: int = 0) -> Claim:
        """One script; a lease that ran out and that nobody has taken is ours again."""
        arguments = (generation, self._holder(generation), lease, max(lease, keep))
        return self._claim_of(await self._link.run(RENEW, self._keys(sid), *arguments))

    async def later(self, sid: str, generation: int) -> Later | Unavailable | None:
        """A read."""
        replies = await self._link.ask(("MGET", *self._keys(sid)[:2]))
        if not replies:
            return Unavailable(self._link.why)
        found = _later(replies[0])
        return found if found is not None and found.generation > generation else None

    async def publish(
        self, sid: str, generation: int, sealed: bytes, *, visible: int, keep: int
    ) -> bool | None:
        """Replaces what is known, unless that is as late."""
        one = _Published(generation, b64encode(sealed).decode(), visible, keep, clock.elapsed())
        taken = await self._publish(sid, one, visible=visible, keep=keep)
        if taken:
            self._remember(sid, one)
        return taken

    def _remember(self, sid: str, one: _Published) -> None:
        if (before := self._recent.pop(sid, None)) is not None:
            self._recent_bytes -= len(before.text)
        self._recent[sid] = one
        self._recent_bytes += len(one.text)
        while self._recent_bytes > MOST_BYTES or next(iter(self._recent.values())).at < one.at - RECENT:
            self._recent_bytes -= len(self._recent.popitem(last=False)[1].text)
            if not self._recent:
                break

    async def _publish(self, sid: str, one: _Published, *, visible: int, keep: int) -> bool | None:
        visible = max(1, visible)
        values = (one.text, visible, max(visible, keep), self._holder(one.generation - 1))
        taken = await self._link.run(PUBLISH, self._keys(sid), one.generation, *values)
        return None if taken is None else taken == 1

    async def release(self, sid: str, generation: int, *, spent: bool = False) -> None:
        """Ends the lease, if it is still ours."""
        stands = "spent" if spent else "kept"
        await self._link.run(RELEASE, self._keys(sid)[2:], self._holder(generation), generation, stands)

    def _claim_of(self, answer: Reply) -> Claim:
        if isinstance(answer, int):
            return _ANSWERS[answer]
        return _later(answer) or Unavailable(self._link.why)

    def _holder(self, generation: int) -> str:
        return f"{self._name}/{generation}"

    def _keys(self, sid: str) -> tuple[str, ...]:
        return tuple(self._link.key(kind, sid) for kind in ("generation", "successor", "refreshing", "tries"))


def _later(answer: Reply) -> Later | None:
    match answer:
        case [bytes() as generation, bytes() as sealed] if generation.isdigit():
            return Succeeded(int(generation), b64decode(sealed))
        case [bytes() as generation, None] if generation.isdigit():
            return Outdated(int(generation))
    return None
