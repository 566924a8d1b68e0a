-- Asks the gateway about every request (docs/forward-auth/haproxy.md), with HAProxy's own HTTP client.
-- GATEWAY is the gateway's address, GATEWAY_HOST the host of its public_url, and GATEWAY_SECRET what `forward_auth.secret_file`
-- holds, if there is one; haproxy.cfg sets them.

local gateway = assert(os.getenv("GATEWAY"), "write `setenv GATEWAY 127.0.0.1:8080` before lua-load")
local host = assert(os.getenv("GATEWAY_HOST"), "write `setenv GATEWAY_HOST app.example.com` before lua-load")
local secret = os.getenv("GATEWAY_SECRET")
local WITHIN = 5000 -- milliseconds
-- Who it is; add the names in the gateway's `headers.claims`, in lower case.
local IDENTITY = {
  "x-auth-request-user", "x-auth-request-email", "x-auth-request-groups", "x-auth-request-preferred-username",
}
-- Of the client's headers those that the gateway reads.
local READ = {
  "cookie", "accept", "origin", "upgrade", "sec-websocket-key", "access-control-request-method", "service-worker",
  "purpose", "sec-purpose", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "x-auth-passive",
}

local DOCUMENTS = {document = true, iframe = true, frame = true, embed = true, object = true}

local function values(found)
  local list = {}
  local n = 0
  while found and found[n] do
    list[#list + 1] = found[n]
    n = n + 1
  end
  return list
end

local function ours(name)
  -- A suffix (session.cookie_suffix) stands behind the name, a number or an id behind that.
  local plain = name:gsub("%-%-[a-z0-9]+", "", 1)
  return plain == "__Host-session" or plain:match("^__Host%-session_%d+$") or plain:match("^__Host%-login_")
    or plain == "__Host-logout" or plain == "__Secure-session-hint"
end

local function trimmed(text)
  return text:match("^%s*(.-)%s*$")
end

local function foreign(lines)
  local kept = {}
  for _, line in ipairs(lines) do
    for pair in line:gmatch("[^;]+") do
      pair = trimmed(pair)
      if pair ~= "" and not ours(trimmed(pair:match("^[^=]*"))) then kept[#kept + 1] = pair end
    end
  end
  return table.concat(kept, "; ")
end

local function refuse(txn, status, headers, body)
  local reply = txn:reply({status = status, body = body})
  for name, list in pairs(headers) do
    local low = name:lower()
    if low ~= "content-length" and low ~= "connection" and low ~= "transfer-encoding" and low ~= "keep-alive" then
      for _, value in ipairs(values(list)) do reply:add_header(name, value) end
    end
  end
  txn:done(reply)
end

core.register_action("ask-gateway", {"http-req"}, function(txn)
  local headers = txn.http:req_get_headers()
  local question = {
    host = {host},
    -- What is decided on, in one place each and HAProxy's own, whatever the client sent under these names.
    ["x-forwarded-method"] = {txn.f:method()},
    ["x-forwarded-host"] = values(headers["host"]),
    ["x-forwarded-uri"] = {txn.f:pathq()},
    ["x-forwarded-for"] = {txn.f:src()},
    ["x-gateway-secret"] = secret and {secret},
  }
  for _, name in ipairs(READ) do
    local list = values(headers[name])
    if #list > 0 then question[name] = list end
  end
  local answer = core.httpclient():get({
    url = "http://" .. gateway .. "/oauth2/auth", headers = question, timeout = WITHIN,
  })
  local status = answer and answer.status or 0
  if status ~= 200 then
    -- A gateway that does not answer becomes a 503 here, soon, and never a pass.
    if status < 300 then return refuse(txn, 503, {["Cache-Control"] = {[0] = "no-store"}}, "") end
    return refuse(txn, status, answer.headers, answer.body)
  end
  for _, name in ipairs(IDENTITY) do
    txn.http:req_del_header(name)
    for _, value in ipairs(values(answer.headers[name])) do
      if value ~= "" then txn.http:req_add_header(name, value) end
    end
  end
  local cookies = foreign(values(headers["cookie"]))
  txn.http:req_del_header("cookie")
  if cookies ~= "" then txn.http:req_add_header("cookie", cookies) end
  local target = (values(headers["sec-fetch-dest"]))[1] or ""
  txn:set_var("txn.gateway_passed", true)
  if DOCUMENTS[target] then txn:set_var("txn.gateway_document", "yes") end
end)

-- What comes from the application: it cannot set or clear the gateway's cookies; no document is stored, no shared cache
-- keeps anything, and what does not say for how long it may be kept is asked for anew.
core.register_action("guard-answer", {"http-res"}, function(txn)
  local headers = txn.http:res_get_headers()
  txn.http:res_del_header("set-cookie")
  for _, line in ipairs(values(headers["set-cookie"])) do
    if not ours(trimmed(line:match("^[^=;]*"))) then txn.http:res_add_header("set-cookie", line) end
  end
  for _, value in ipairs(values(headers["clear-site-data"])) do
    if value:lower():find('"cookies"', 1, true) or value:find('"*"', 1, true) then
      txn.http:res_set_header("clear-site-data", '"cache", "storage"')
    end
  end
  local said = table.concat(values(headers["cache-control"]), ", "):lower()
  local html = ((values(headers["content-type"]))[1] or ""):lower():match("^text/html")
  local says
  if txn:get_var("txn.gateway_document") or html or said:match("no%-store") then
    says = "no-store"
  elseif not said:match("max%-age=%d") and not headers["expires"] or said:match("no%-cache") then
    says = "private, no-cache"
  else
    local age = said:match("[^%-]max%-age=(%d+)") or said:match("^max%-age=(%d+)")
    says = "private" .. (age and ", max-age=" .. age or "") .. (said:match("immutable") and ", immutable" or "")
      .. (said:match("must%-revalidate") and ", must-revalidate" or "")
  end
  txn.http:res_set_header("cache-control", says)
  txn.http:res_del_header("cdn-cache-control")
  txn.http:res_del_header("surrogate-control")
end)
