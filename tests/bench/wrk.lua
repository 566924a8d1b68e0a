-- One script for every case: `-- get`, `-- unique PREFIX`, `-- unseen PREFIX`, `-- paced MILLISECONDS` or
-- `-- upload BYTES`. Prints one JSON line at the end.

local MARK = "@number@"

-- The request with a number wherever it has the mark: cut up once, so that making the next one costs next to nothing.
local function numbered(text)
  local pieces, from = {}, 1
  while true do
    local first, last = text:find(MARK, from, true)
    pieces[#pieces + 1] = text:sub(from, (first or 0) - 1)
    if not first then break end
    from = last + 1
  end
  local count = 0
  return function()
    count = count + 1
    return table.concat(pieces, tostring(count))
  end
end

function init(arguments)
  local mode, given = arguments[1], arguments[2]
  if mode == "unique" or mode == "unseen" then
    if mode == "unseen" then
      local cookie = wrk.headers["Cookie"]
      wrk.headers["Cookie"] = "visit=" .. given .. MARK .. (cookie and "; " .. cookie or "")
    end
    request = numbered(wrk.format("GET", "/u/" .. given .. MARK))
  elseif mode == "paced" then
    delay = function() return math.random(0, 2 * tonumber(given)) end
  elseif mode == "upload" then
    wrk.method = "POST"
    wrk.body = string.rep("x", tonumber(given))
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"bytes":%d,"seconds":%f,"bad":%d,"errors":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.bytes, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(50), latency:percentile(99)))
end
