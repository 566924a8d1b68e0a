"""What is done inside Redis, each script in one piece (Lua 5.1).

Two keys. `…:meta` is a hash: `format`; `id`, the log's id; `epoch`, the position with which it began, or began anew
because entries may be missing; `position`, the last one given; `length`, how many entries the stream must have; `term`,
the server's replication id when the last position was given; `trimmed`, up to where dead entries were removed; `beat`,
when the server's clock was last written there, which shows that the server takes what is written; `forgotten`, the
latest expiry of what was removed; `gaps`, positions that were never given, as `core/signout/log_extent.py` has them;
`renewed`, when and why the log got another id, as `renewal.py` writes it. `…:log` is the stream: the id
`<position>-0`, the fields `b` (batch), `x` (expires) and `e` (the entry as JSON).

The log is *intact* when `term` is its own replication id and `length` is the stream's. Redis draws another
replication id when a process starts and when a replica is promoted, so another term means: this may be an older copy,
which has lost entries and would give positions a second time. Nobody appends to a log that is not intact. Reading one
makes it intact again, in a new epoch and with positions that begin beyond all that were ever given; log.py says
who may.
"""

from __future__ import annotations

from typing import Final

FORMAT: Final = 1
GAPS: Final = 16
"""Those that are kept: of as many restarts and failovers. What is forgotten proves nothing any more."""
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
  'forgotten', 'gaps', 'renewed')
if meta[2] and meta[1] ~= '{FORMAT}' then
  return redis.error_reply('FORMAT ' .. tostring(meta[1]))
end
local id, epoch, position = meta[2], tonumber(meta[3] or 0), tonumber(meta[4] or 0)
local trimmed, beat, refusal = tonumber(meta[7] or 0), tonumber(meta[8] or 0), ''
local forgotten, gaps, renewed = tonumber(meta[9] or 0), meta[10] or '', meta[11] or ''
local complete = id and tonumber(meta[5]) == redis.call('XLEN', LOG)
local behind = HISTORY == id and KNOWN > position
local intact = complete and meta[6] == term and not behind

local function digits(number)
  return string.format('%.0f', number)
end
local function page(after, limit)
  return redis.call('XRANGE', LOG, '(' .. digits(after) .. '-0', '+', 'COUNT', limit)
end
local function answer(change, start, rows)
  local lines = {{}}
  for i, row in ipairs(rows) do
    lines[i] = string.match(row[1], '^%d+') .. ' ' .. row[2][2] .. ' ' .. row[2][6]
  end
  local where = {{change, id, digits(epoch), digits(position), digits(clock), replicas, start}}
  where[8], where[9] = #rows, table.concat(lines, '\\n')
  where[10], where[11], where[12], where[13], where[14] = refusal, digits(beat), digits(forgotten), gaps, renewed
  return where
end
local function end_of_stream()
  local last = redis.call('XREVRANGE', LOG, '+', '-', 'COUNT', 1)[1]
  return last and tonumber(string.match(last[1], '^%d+')) or 0
end
local function lacks(sealed)
  if sealed > position then return true end
  for before, behind in string.gmatch(gaps, '(%d+)-(%d+)') do
    if sealed > tonumber(before) and sealed < tonumber(behind) then return true end
  end
  return false
end
"""

READ: Final = (
    _HEAD
    + f"""
local CANDIDATE, RENEW, CURSOR, AFTER, LIMIT = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7]
local change = ''
if not intact then
  if not id then
    id, change = CANDIDATE, 'made'
  elseif HISTORY == id then
    change = 'repaired'
  elseif complete and string.find(redis.call('INFO', 'persistence'), 'aof_enabled:1', 1, true) then
    change = 'repaired'
  elseif RENEW == '1' then
    id, change = CANDIDATE, 'renewed'
    renewed = digits(math.floor(clock / 1000)) .. ' unvouched'
  else
    return {{'unvouched'}}
  end
  local before = math.max(position, end_of_stream(), change == 'repaired' and HISTORY == id and KNOWN or 0)
  position = math.max(before, clock, KNOWN) + {LEAP}
  epoch = position
  gaps = change == 'repaired' and (gaps .. digits(before) .. '-' .. digits(position) .. ' ') or ''
  while select(2, string.gsub(gaps, ' ', '')) > {GAPS} do
    gaps = string.gsub(gaps, '^%S+ ', '')
  end
  redis.call('HSET', META, 'format', '{FORMAT}', 'id', id, 'epoch', digits(epoch), 'position', digits(position),
    'length', redis.call('XLEN', LOG), 'term', term, 'trimmed', digits(trimmed), 'gaps', gaps, 'renewed', renewed)
elseif KNOWN > position then
  position = KNOWN
  redis.call('HSET', META, 'position', digits(position))
elseif HISTORY == id and lacks(KNOWN) then
  gaps = string.gsub(gaps, '(%d+)-(%d+)', function(before, behind)
    return KNOWN > tonumber(before) and KNOWN < tonumber(behind) and digits(KNOWN) .. '-' .. behind or nil
  end)
  redis.call('HSET', META, 'gaps', gaps)
end
if string.find(renewed, '^%d+ %w+$') then
  local taken = redis.pcall('HSET', META, 'renewed', renewed .. ' told')
  if type(taken) == 'table' then renewed = renewed .. ' told' end
end
local start = 0
if CURSOR ~= id .. '/' .. digits(epoch) or AFTER < trimmed then
  start, AFTER = 1, 0
end
return answer(change, start, page(AFTER, LIMIT))
"""
)
"""KEYS meta, log. ARGV: the id of the log that the reader has read whole ('' for none) and the last position it knows;
an id for a log that has to be made; '1' if the reader has waited long enough for somebody to vouch; where it goes on:
id/epoch and position; how many entries. Answers {'unvouched'} or what `answer` makes; `start` is 1 where the entries
are from the beginning because the reader cannot go on. Whoever vouches for more than the one that has repaired the log
makes its gap smaller. A renewal of which nobody has told yet is answered to one reader.
"""

APPEND: Final = (
    _HEAD
    + """
local CURSOR, LIMIT = ARGV[3], tonumber(ARGV[4])
if not intact or CURSOR ~= id .. '/' .. digits(epoch) or KNOWN < trimmed then
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
if not intact then
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

RENEW: Final = (
    _HEAD
    + f"""
local CANDIDATE, CAUSE, SEALED, SETTLED = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
if not id then
  return {{'none'}}
end
if SEALED > 0 then
  if HISTORY ~= id then return {{'other'}} end
  if not intact then return {{'rejoin'}} end
  if not lacks(SEALED) then return {{'has'}} end
  if SETTLED ~= '1' then return {{'lacks'}} end
end
position = math.max(position, clock, KNOWN, SEALED, end_of_stream()) + {LEAP}
redis.call('HSET', META, 'id', CANDIDATE, 'epoch', digits(position), 'position', digits(position),
  'length', redis.call('XLEN', LOG), 'term', term, 'gaps', '',
  'renewed', digits(math.floor(clock / 1000)) .. ' ' .. CAUSE)
return {{'renewed'}}
"""
)
"""KEYS meta, log. ARGV: id and last position as above; another id; why, a value of `renewal.Cause`; a position that was
sealed under the log, 0 for who asks for no reason of the log's own; '1' if whoever could know of it had the time to say
so. Gives the log the other id, if it lacks that position. Answers `renewed`; `none` where there is no log; `other`
where it has got another id meanwhile; `rejoin` where it has to be read first; `has` or `lacks` where nothing was done.
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
