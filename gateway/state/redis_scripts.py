"""What is done inside Redis, each script in one piece (Lua 5.1).

Two keys. `…:meta` is a hash: `format`; `id`, the log's id; `epoch`, the position with which it began, or began anew
because entries may be missing; `position`, the last one given; `length`, how many entries the stream must have; `term`,
the server's replication id when the last position was given; `trimmed`, up to where dead entries were removed; `beat`,
when the server's clock was last written there, which shows that the server takes what is written; `forgotten`, the
latest expiry of what was removed. `…:log` is the stream: the id `<position>-0`, the fields `b` (batch), `x` (expires)
and `e` (the entry as JSON).

The log is *whole* when `term` is its own replication id and `length` is the stream's. Redis draws another
replication id when a process starts and when a replica is promoted, so another term means: this may be an older copy,
which has lost entries and would give positions a second time. Nobody appends to a log that is not whole. Reading one
makes it whole again, in a new epoch and with positions that begin beyond all that were ever given; redis_log.py says
who may.
"""

from __future__ import annotations

from typing import Final

FORMAT: Final = 1
BEAT: Final = 1_000
"""Milliseconds after which whoever has nothing to append writes all the same, to see whether it could."""
LEAP: Final = 3_600_000
"""How far the positions of a new epoch begin behind the server's clock in milliseconds: the lost copy gave its own by
another clock.
"""

_HEAD: Final = f"""
local META, LOG = KEYS[1], KEYS[2]
local HISTORY, KNOWN = ARGV[1], tonumber(ARGV[2])
local replication = redis.call('INFO', 'replication')
if not string.find(replication, 'role:master', 1, true) then
  return redis.error_reply('NOTPRIMARY this server is a replica')
end
local replicas = 0
for lag in string.gmatch(replication, 'state=online,[^\\r\\n]-lag=(%d+)') do
  if tonumber(lag) <= 5 then replicas = replicas + 1 end
end
local term = string.match(replication, 'master_replid:(%w+)') or ''
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local meta = redis.call('HMGET', META, 'format', 'id', 'epoch', 'position', 'length', 'term', 'trimmed', 'beat',
  'forgotten')
if meta[2] and meta[1] ~= '{FORMAT}' then
  return redis.error_reply('FORMAT ' .. tostring(meta[1]))
end
local id, epoch, position = meta[2], tonumber(meta[3] or 0), tonumber(meta[4] or 0)
local trimmed, beat, refusal = tonumber(meta[7] or 0), tonumber(meta[8] or 0), ''
local forgotten = tonumber(meta[9] or 0)
local complete = id and tonumber(meta[5]) == redis.call('XLEN', LOG)
local behind = HISTORY == id and KNOWN > position
local whole = complete and meta[6] == term and not behind

local function digits(number)
  return string.format('%.0f', number)
end
local function page(after, limit)
  return redis.call('XRANGE', LOG, '(' .. digits(after) .. '-0', '+', 'COUNT', limit)
end
local function answer(told, start, rows)
  local lines = {{}}
  for i, row in ipairs(rows) do
    lines[i] = string.match(row[1], '^%d+') .. ' ' .. row[2][2] .. ' ' .. row[2][6]
  end
  local where = {{told, id, digits(epoch), digits(position), digits(clock), replicas, start}}
  where[8], where[9] = #rows, table.concat(lines, '\\n')
  where[10], where[11], where[12] = refusal, digits(beat), digits(forgotten)
  return where
end
"""

READ: Final = (
    _HEAD
    + f"""
local CANDIDATE, RENEW, CURSOR, AFTER, LIMIT = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7]
local told = ''
if not whole then
  if not id then
    id, told = CANDIDATE, 'made'
  elseif HISTORY == id then
    told = 'mended'
  elseif complete and string.find(redis.call('INFO', 'persistence'), 'aof_enabled:1', 1, true) then
    told = 'mended'
  elseif RENEW == '1' then
    id, told = CANDIDATE, 'renewed'
  else
    return {{'unvouched'}}
  end
  local last = redis.call('XREVRANGE', LOG, '+', '-', 'COUNT', 1)[1]
  last = last and tonumber(string.match(last[1], '^%d+')) or 0
  position = math.max(position, clock, KNOWN, last) + {LEAP}
  epoch = position
  redis.call('HSET', META, 'format', '{FORMAT}', 'id', id, 'epoch', digits(epoch), 'position', digits(position),
    'length', redis.call('XLEN', LOG), 'term', term, 'trimmed', digits(trimmed))
elseif KNOWN > position then
  position = KNOWN
  redis.call('HSET', META, 'position', digits(position))
end
local start = 0
if CURSOR ~= id .. '/' .. digits(epoch) or AFTER < trimmed then
  start, AFTER = 1, 0
end
return answer(told, start, page(AFTER, LIMIT))
"""
)
"""KEYS meta, log. ARGV: the id of the log that the reader has read whole ('' for none) and the last position it knows;
an id for a log that has to be made; '1' if the reader has waited long enough for somebody to vouch; where it goes on:
id/epoch and position; how many entries. Answers {'unvouched'} or what `answer` makes; `start` is 1 where the entries
are from the beginning because the reader cannot go on.
"""

APPEND: Final = (
    _HEAD
    + """
local CURSOR, LIMIT = ARGV[3], tonumber(ARGV[4])
if not whole or CURSOR ~= id .. '/' .. digits(epoch) or KNOWN < trimmed then
  return {'rejoin'}
end
local rows = page(KNOWN, LIMIT)
if #rows == LIMIT then
  return {'rejoin'}
end
local there = {}
for _, row in ipairs(rows) do
  there[row[2][2]] = true
end
local before = position
for i = 5, #ARGV, 5 do
  local batch, till, expires = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  if not there[batch] then
    local entry = clock > till and ARGV[i + 4] or ARGV[i + 3]
    position = position + 1
    local fields = {'b', batch, 'x', expires, 'e', entry}
    redis.call('XADD', LOG, digits(position) .. '-0', unpack(fields))
    rows[#rows + 1] = {digits(position), fields}
  end
end
if position > before then
  redis.call('HSET', META, 'position', digits(position), 'length', redis.call('XLEN', LOG), 'beat', digits(clock))
elseif math.abs(clock - beat) >= BEAT then
  local took = redis.pcall('HSET', META, 'beat', digits(clock))
  if type(took) == 'table' then
    refusal = took.err
  end
end
return answer('', 0, rows)
""".replace("BEAT", str(BEAT))
)
"""KEYS meta, log. ARGV: id and last position as above; where the reader is: id/epoch; how much it takes; for each
entry its batch, until when by the server's clock (milliseconds) it is new, when it expires (seconds), the entry if it
is still new, the entry if it is late. A batch that the stream has behind the reader's position is not appended again.
Answers {'rejoin'} where the reader has to read first, else the tail with the new entries.
"""

TRIM: Final = (
    _HEAD
    + """
local NOW, LIMIT = tonumber(ARGV[3]), ARGV[4]
if not whole then
  return 0
end
local dead, last = 0, nil
for _, row in ipairs(redis.call('XRANGE', LOG, '-', '+', 'COUNT', LIMIT)) do
  if tonumber(row[2][4]) > math.min(NOW, clock / 1000) then break end
  dead, last = dead + 1, tonumber(string.match(row[1], '^%d+'))
  forgotten = math.max(forgotten, tonumber(row[2][4]))
end
if last then
  redis.call('XTRIM', LOG, 'MINID', digits(last + 1) .. '-0')
  redis.call('HSET', META, 'trimmed', digits(last), 'length', redis.call('XLEN', LOG), 'forgotten', digits(forgotten))
end
return dead
"""
)
"""KEYS meta, log. ARGV: id and last position as above; entries that expired at this second are dead, unless the
server's clock is earlier; how many to look at. Answers how many were removed: dead ones at the stream's beginning only.
"""

PROBE: Final = """
local PROBE = KEYS[3]
local refused = {}
local function try(name, ...)
  local answer = redis.pcall(name, ...)
  if type(answer) == 'table' and answer.err then
    refused[#refused + 1] = name .. ' ' .. answer.err
    return ''
  end
  return answer
end
try('TIME')
try('XADD', PROBE, 'NOMKSTREAM', '*', 'f', 'v')
try('XTRIM', PROBE, 'MINID', '1')
try('XRANGE', PROBE, '(1-0', '+', 'COUNT', '1')
try('XREVRANGE', PROBE, '+', '-', 'COUNT', '1')
try('XREAD', 'COUNT', '1', 'STREAMS', PROBE, '0')
try('XLEN', KEYS[2])
local format = try('HMGET', KEYS[1], 'format')
if format and format[1] then
  try('HSET', KEYS[1], 'format', format[1])
end
local seen = ''
for _, section in ipairs({'replication', 'server', 'memory', 'persistence'}) do
  local found = try('INFO', section)
  seen = seen .. found
end
return {seen, unpack(refused)}
"""
"""KEYS meta, log, and one that does not exist. Tries every command of the other scripts without changing anything;
answers what INFO says, and a line for each command that was refused: its name and the error.
"""
