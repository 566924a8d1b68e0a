-- One script for every case: `-- get`, `-- unique PREFIX` or `-- upload BYTES`. Prints one JSON line at the end.

function init(arguments)
  local mode = arguments[1]
  if mode == "unique" then
    local prefix, count = arguments[2], 0
    request = function()
      count = count + 1
      return wrk.format("GET", "/u/" .. prefix .. count)
    end
  elseif mode == "upload" then
    wrk.method = "POST"
    wrk.body = string.rep("x", tonumber(arguments[2]))
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%f,"bad":%d,"errors":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(50), latency:percentile(99)))
end
