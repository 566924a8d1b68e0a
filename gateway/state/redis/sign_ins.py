"""The list of sign-ins of many hosts, in Redis (Lua 5.1).

Four keys are everybody's: the hash ``sign-ins`` has each as JSON by sid, the hash ``sign-ins:sightings`` its last
activity as JSON; the sorted sets ``sign-ins:seen`` and ``sign-ins:until`` have the sids by last activity and by
deadline. For each name, which is a subject or a revocation key, the sorted set ``named:…`` has the sids by deadline.
What is over is removed by whoever comes next; a key disappears with the last deadline in it, by the server's clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import islice
from typing import Final

from gateway.core.session.sign_in import Sighting, SignIn
from gateway.state.contract.sign_ins import UNKNOWN, Listed
from gateway.state.redis.companion import WITHIN, RedisCompanionStore, digest
from gateway.state.redis.link import Command, Reply
from gateway.state.redis.place import RedisPlace

AT_ONCE: Final = 500
"""Sightings, or sign-ins to forget, in one question."""

_HEAD: Final = """
local SIGN_INS, SIGHTINGS, SEEN, UNTIL = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local NOW = redis.call('TIME')[1]
local function trim(key)
  repeat
    local over = redis.call('ZRANGE', key, '-inf', NOW, 'BYSCORE', 'LIMIT', 0, 1000)
    if #over > 0 then
      redis.call('ZREM', key, unpack(over))
    end
    if #over > 0 and key == UNTIL then
      redis.call('ZREM', SEEN, unpack(over))
      redis.call('HDEL', SIGN_INS, unpack(over))
      redis.call('HDEL', SIGHTINGS, unpack(over))
    end
  until #over < 1000
end
"""

RECORD: Final = (
    _HEAD
    + """
local SID, DEADLINE = ARGV[1], ARGV[5]
local function last(key)
  return redis.call('ZRANGE', key, 0, 0, 'REV', 'WITHSCORES')[2]
end
redis.call('HSET', SIGN_INS, SID, ARGV[2])
redis.call('HSET', SIGHTINGS, SID, ARGV[3])
redis.call('ZADD', SEEN, ARGV[4], SID)
redis.call('ZADD', UNTIL, DEADLINE, SID)
trim(UNTIL)
for i = 1, 4 do
  redis.call('EXPIREAT', KEYS[i], last(UNTIL) or NOW)
end
for i = 5, #KEYS do
  redis.call('ZADD', KEYS[i], DEADLINE, SID)
  trim(KEYS[i])
  redis.call('EXPIREAT', KEYS[i], last(KEYS[i]) or NOW)
end
return 1
"""
)
"""KEYS: the four, then the names'. ARGV: sid, sign-in, sighting, when it was seen, its deadline."""

NOTE: Final = """
for i = 1, #ARGV, 3 do
  local before = redis.call('ZSCORE', KEYS[2], ARGV[i])
  if before and tonumber(before) < tonumber(ARGV[i + 2]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    redis.call('ZADD', KEYS[2], ARGV[i + 2], ARGV[i])
  end
end
return 1
"""
"""KEYS sightings, seen. ARGV: for each sighting its sid, itself, and when it was."""

LIST: Final = (
    _HEAD
    + """
local LIMIT = tonumber(ARGV[1])
trim(UNTIL)
local sids, total = {}, 0
if KEYS[5] then
  local found = {}
  for _, sid in ipairs(redis.call('ZRANGE', KEYS[5], 0, -1)) do
    local seen = redis.call('ZSCORE', SEEN, sid)
    if seen then
      found[#found + 1] = {sid, tonumber(seen)}
    end
  end
  table.sort(found, function(one, other) return one[2] > other[2] end)
  for i = 1, math.min(LIMIT, #found) do
    sids[i] = found[i][1]
  end
  total = #found
else
  sids = redis.call('ZRANGE', SEEN, 0, LIMIT - 1, 'REV')
  total = redis.call('ZCARD', SEEN)
end
local lines = {}
for i, sid in ipairs(sids) do
  local sign_in = redis.call('HMGET', SIGN_INS, sid)[1]
  local sighting = redis.call('HMGET', SIGHTINGS, sid)[1]
  lines[i] = (sign_in or '') .. '\\n' .. (sighting or '')
end
return {total, table.concat(lines, '\\n')}
"""
)
"""KEYS: the four, and of one name its own. ARGV: how many, of which there is one at least. Answers how many there are,
and two lines for each.
"""

KNOWN: Final = """
local now = redis.call('TIME')[1]
return #redis.call('ZRANGE', KEYS[1], '(' .. now, '+inf', 'BYSCORE', 'LIMIT', 0, 1)
"""
"""KEYS: a name's. Answers 1 if there is a sign-in of that name whose deadline is ahead."""


class RedisSignIns(RedisCompanionStore):
    """See :class:`gateway.state.contract.sign_ins.SignIns` for the contract.

    :param within: seconds in which Redis has to answer.
    """

    def __init__(self, place: RedisPlace, *, within: float = WITHIN) -> None:
        super().__init__(place, "sign-ins", within=within)
        parts = ("sign-ins",), ("sign-ins", "sightings"), ("sign-ins", "seen"), ("sign-ins", "until")
        self._keys = tuple(self._link.key(*each) for each in parts)

    async def record(self, sign_in: SignIn) -> bool:
        """One script, which also removes what is over."""
        seen = Sighting(sign_in.seen_at, sign_in.client)
        values = (json.dumps(asdict(sign_in)), _written(seen), seen.at, sign_in.until)
        keys = (*self._keys, *self._names(sign_in))
        return await self._link.run(RECORD, keys, sign_in.sid, *values) == 1

    async def note(self, sightings: Mapping[str, Sighting]) -> bool:
        """Some at a time, each of which has its quarter of a second; a second time they change nothing."""
        waiting = iter(sightings.items())
        while some := list(islice(waiting, AT_ONCE)):
            values = [value for sid, seen in some for value in (sid, _written(seen), seen.at)]
            if await self._link.run(NOTE, self._keys[1:3], *values) != 1:
                return False
        return True

    async def of(self, issuer: str, subject: str, *, limit: int) -> Listed:
        """By the subject's name."""
        return _listed(await self._link.run(LIST, (*self._keys, self._subject(issuer, subject)), limit))

    async def all(self, *, limit: int) -> Listed:
        """By last activity."""
        return _listed(await self._link.run(LIST, self._keys, limit))

    async def known(self, alias: str) -> bool | None:
        """By the name."""
        found = await self._link.run(KNOWN, (self._alias(alias),))
        return None if found is None else found == 1

    async def forget(self, sids: Sequence[str]) -> None:
        """Look up their names, and remove them there first: a sign-in without its names is still listed."""
        for start in range(0, len(sids), AT_ONCE):
            some = sids[start : start + AT_ONCE]
            found = await self._link.ask(("HMGET", self._keys[0], *some))
            if not found or not await self._link.ask(*self._removals(some, found[0])):
                return

    def _removals(self, sids: Sequence[str], found: Reply) -> Iterator[Command]:
        members: dict[str, list[str]] = {}
        for text in found if isinstance(found, list) else []:
            if isinstance(text, bytes) and (one := _sign_in(text)) is not None:
                for name in self._names(one):
                    members.setdefault(name, []).append(one.sid)
        yield from (("ZREM", name, *named) for name, named in members.items())
        sign_ins, sightings, *sets = self._keys
        yield from (("ZREM", key, *sids) for key in sets)
        yield from (("HDEL", key, *sids) for key in (sightings, sign_ins))

    def _names(self, one: SignIn) -> Iterator[str]:
        yield self._subject(one.issuer, one.subject)
        yield from map(self._alias, one.aliases)

    def _subject(self, issuer: str, subject: str) -> str:
        return self._link.key("named", digest("subject", issuer, subject))

    def _alias(self, alias: str) -> str:
        return self._link.key("named", digest("alias", alias))


def _written(seen: Sighting) -> str:
    return json.dumps([seen.at, seen.client])


def _listed(answer: Reply) -> Listed:
    match answer:
        case [int() as total, bytes() as text]:
            lines = text.split(b"\n") if text else []
            pairs = zip(lines[::2], lines[1::2], strict=True)
            found = [one for pair in pairs if (one := _sign_in(*pair)) is not None]
            return Listed(tuple(found), total, complete=2 * len(found) == len(lines))
    return UNKNOWN


def _sign_in(text: bytes, sighting: bytes = b"") -> SignIn | None:
    """None for what another release wrote."""
    with suppress(ValueError, TypeError, KeyError):
        fields = json.loads(text)
        one = SignIn(**{**fields, "aliases": tuple(fields["aliases"])})
        if not sighting:
            return one
        at, client = json.loads(sighting)
        return replace(one, seen_at=at, client=client)
    return None
