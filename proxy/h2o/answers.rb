# What h2o answers itself in place of the app, and requests that it sends on from here. mruby, one copy for each thread of h2o.

class Answers
  SANE_ID = /\A[A-Za-z0-9._-]{1,64}\z/
  TEXTS = { 400 => 'the request cannot be understood', 413 => 'the body is too large', 502 => 'the app is not available' }
  STYLE = ':root{color-scheme:light dark}body{margin:4rem auto;max-width:36rem;padding:0 1.25rem;font:1rem/1.5 system-ui,sans-serif}'

  # The request's id: kept when it can do no harm in a header, a log line or a page, else made.
  def id_of(env)
    given = env['HTTP_X_REQUEST_ID'] || env['PROXY_ID']
    given && SANE_ID =~ given ? given : IO.for_fd(IO.sysopen('/dev/urandom')).sysread(16).unpack('H*')[0]
  end

  # Small JSON, or a page for a browser.
  def error(status, id, html, text = TEXTS[status])
    return [status, page_headers(id), [page(status, text, id)]] if html
    [status, json_headers(id), ["{\"error\":{\"code\":#{status},\"message\":\"#{text}\",\"id\":\"#{id}\"}}\n"]]
  end

  def json_headers(id)
    { 'content-type' => 'application/json', 'cache-control' => 'no-store', 'x-request-id' => id }
  end

  # The request as it is, to a socket: a connection of its own, and no WebSocket. `mruby` sets Host to the socket's name, so
  # the client's is in X-Forwarded-Host.
  NOT_PASSED = %w(host connection upgrade keep-alive te trailer transfer-encoding content-length expect http2-settings proxy
    forwarded x-forwarded-for x-forwarded-host x-forwarded-proto x-forwarded-port x-forwarded-prefix x-real-ip x-release
    x-request-id x-tasuki-preview)

  def forward(env, to, id)
    headers = {
      'x-request-id' => id,
      'x-real-ip' => env['REMOTE_ADDR'],
      'x-forwarded-for' => env['REMOTE_ADDR'],
      'x-forwarded-proto' => env['rack.url_scheme'],
      'x-forwarded-host' => env['HTTP_HOST'],
    }
    headers['content-type'] = env['CONTENT_TYPE'] if env['CONTENT_TYPE']
    env.each do |key, value|
      next unless key[0, 5] == 'HTTP_'
      name = key[5..-1].gsub('_', '-').downcase
      headers[name] = value unless NOT_PASSED.include?(name)
    end
    options = { :method => env['REQUEST_METHOD'], :headers => headers }
    options[:body] = env['rack.input'] if env['rack.input']
    status, head, body = http_request("http://#{to}#{target(env)}", options).join
    # h2o's own word for an upstream that did not answer: no app answers without Date.
    return nil if status == 500 && head.size == 1 && !head['date']
    head.delete('connection')
    head.delete('server')
    head.delete('x-powered-by')
    head['x-request-id'] = id
    [status, head, body]
  end

  # Path and query, as they came.
  def target(env)
    query = env['QUERY_STRING']
    "#{env['SCRIPT_NAME']}#{env['PATH_INFO']}#{query.empty? ? '' : "?#{query}"}"
  end

  private

  def page_headers(id)
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    json_headers(id).merge('content-type' => 'text/html; charset=utf-8', 'content-security-policy' => policy)
  end

  def page(status, text, id)
    "<!doctype html><html lang=\"en\"><meta name=\"viewport\" content=\"width=device-width\"><title>#{status}</title>" +
      "<style>#{STYLE}</style><h1>#{status}</h1><p>#{text}</p><p>Request <code>#{id}</code></p></html>\n"
  end
end

# In place of h2o's own words for an error. What is known of the request site.rb has left in the environment; h2o keeps
# none of these headers but the type.
class ErrorPage < Answers
  def call(env)
    id = id_of(env)
    status, headers, body = error(env['PATH_INFO'][1..-1].to_i, id, env['PROXY_HTML'])
    headers['x-fallthru-set-proxy-id'] = id # for the log
    [200, headers, body]
  end
end

# On the pod's loopback only.
class Inside < Answers
  def initialize(app)
    @app = app
  end

  def call(env)
    case target(env)
    when '/healthz' then [200, { 'content-type' => 'text/plain' }, ["ok\n"]]
    # The app's figures; it refuses them to every request that a proxy forwards for somebody.
    when '/metrics' then http_request("#{@app}metrics").join
    else [404, { 'content-type' => 'text/plain' }, ["there is nothing here\n"]]
    end
  end
end
