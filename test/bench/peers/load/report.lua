-- Sends a form when FORM is set, and at the end prints one line of JSON: times in microseconds.

local form = os.getenv("FORM")
if form then
  wrk.method = "POST"
  wrk.body = form
  wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
end

local line = '{"requests":%d,"took":%d,"bytes":%d,"p50":%d,"p99":%d,"max":%d,'
  .. '"errors":{"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}}\n'

function done(summary, latency)
  local errors = summary.errors
  io.write(line:format(
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(99), latency.max,
    errors.connect, errors.read, errors.write, errors.timeout, errors.status
  ))
end
