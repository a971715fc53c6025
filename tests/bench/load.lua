-- What wrk sends, by the words after `--`: KIND BYTES. Every request of a run is the same, so Lua runs only at its start and end.
-- At the end, one line of JSON for loads.py.

local key = "0123456789abcdef0123456789abcdef"

local kinds = {
  poll = function()
    wrk.path = "/res.php?key=" .. key .. "&action=get&id=2122988149"
  end,
  ["poll-new"] = function()
    wrk.path = "/res.php?key=" .. key .. "&action=get&id=2122988149"
    wrk.headers["Connection"] = "close"
  end,
  form = function(bytes)
    wrk.method, wrk.path = "POST", "/in.php"
    wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
    wrk.body = "key=" .. key .. "&method=base64&body=" .. string.rep("iVBORw0KGgo", math.floor(bytes / 11))
  end,
  multipart = function(bytes)
    local function part(name, more, value)
      return "--boundary7d9\r\nContent-Disposition: form-data; name=\"" .. name .. "\"" .. more .. "\r\n\r\n" .. value .. "\r\n"
    end
    wrk.method, wrk.path = "POST", "/in.php"
    wrk.headers["Content-Type"] = "multipart/form-data; boundary=boundary7d9"
    wrk.body = part("key", "", key) .. part("method", "", "post") ..
      part("file", "; filename=\"c.png\"\r\nContent-Type: image/png", string.rep("\137PNG\26\0\7\200", math.floor(bytes / 8))) ..
      "--boundary7d9--\r\n"
  end,
  target = function(bytes)
    wrk.path = "/in.php?key=" .. key .. "&method=base64&body=" .. string.rep("iVBORw0KGgo", math.floor(bytes / 11))
    small_first()
  end,
}

-- wrk parses the first request that it gets from here, to see that it is one, and takes no head above 80 kB there.
function small_first()
  local small, large = wrk.format(nil, "/res.php"), wrk.format()
  local next_one = small
  function request()
    local this = next_one
    next_one = large
    return this
  end
end

function init(words)
  kinds[words[1]](tonumber(words[2]))
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
