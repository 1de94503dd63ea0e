-- For wrk: posts one-event beacons, each event with an id of its own, by many visitors in turn. BEACON_VISITORS names a
-- file with a visitor a line: address, tab, the Cookie header.
local visitors, number = {}, 0

function init()
  for line in io.lines(os.getenv("BEACON_VISITORS")) do
    local address, cookie = line:match("^(%S+)\t(.+)$")
    table.insert(visitors, { address = address, cookie = cookie })
  end
  math.randomseed(tonumber(os.getenv("BEACON_SEED")))
end

local function id()
  return string.format("%08x%08x", math.random(0, 0x7fffffff), math.random(0, 0x7fffffff))
end

function request()
  number = number + 1
  local visitor = visitors[number % #visitors + 1]
  wrk.headers["X-Forwarded-For"] = visitor.address
  wrk.headers["Cookie"] = visitor.cookie
  local body = string.format(
    '{"v":1,"events":[{"n":"engagement","u":"/tea/green-%d?page=2","p":"%s","i":"%s","t":%d,"e":%d,"sd":%d}]}',
    number % 50, id(), id(), number % 1000, 1000 + number % 30000, number % 101
  )
  return wrk.format("POST", "/_privacy/events", nil, body)
end
