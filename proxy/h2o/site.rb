require '/etc/proxy/answers.rb'

# Where a request goes that is not simply the app's: [399, ...] is "to the app", which h2o does by itself.
class Site < Answers
  TOKEN = /\A[A-Za-z0-9_-]{16,64}\z/
  LINK = /\A\/\.tasuki\/preview\/([A-Za-z0-9_-]{16,64})\z/
  COOKIE = /(?:\A|;)\s*tasuki_preview=([A-Za-z0-9_-]{16,64})\s*(?:;|\z)/
  OF = /\A([0-9a-fT-]+)_/
  HOST = /\A(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?\z/
  ASSET = /\A\/assets\/([A-Za-z0-9_][A-Za-z0-9._-]*)\z/
  HASHED = /-[A-Z0-9]{8}\.\w+\z/
  FORMS = %w(br zstd gzip).map { |form| [form, /(?:\A|,)\s*#{form}\s*(?:,|\z|;(?!\s*q=0(?:\.0*)?\s*(?:,|\z)))/i] }
  OFF = 'tasuki_preview=; Path=/; Max-Age=0'
  # Seconds for which the app is taken to be listening as it was.
  LISTENING_FOR = 0.01

  def initialize
    @assets, @probe, @inside = ENV['ASSETS_DIR'], ENV['PROBE_PATH'], ENV['INSIDE']
    @page = "#{ENV['RUN_DIR']}/maintenance/page.html"
    @previews = "#{ENV['RUN_DIR']}/preview"
    @stand_in = "#{ENV['RUN_DIR']}/stand-in.sock"
    @to_tls = ENV['HTTPS_REDIRECT'] == 'on'
    @tls_suffix = ENV['PUBLIC_TLS_PORT'] == '443' ? '' : ":#{ENV['PUBLIC_TLS_PORT']}"
    @port = ENV['APP_ADDRESS'][/[0-9]+\z/]
    @listener = listener(ENV['APP_ADDRESS'])
    @looked = 0
  end

  def call(env)
    path = env['SCRIPT_NAME'] + env['PATH_INFO']
    return bad_host(env) unless HOST =~ env['HTTP_HOST']
    token = env['HTTP_X_TASUKI_PREVIEW']
    token = nil unless token && TOKEN =~ token
    return redirect(env) if @to_tls && env['rack.url_scheme'] == 'http' && !token && may_redirect?(path)
    if path[0, 9] == '/.tasuki/'
      return see_other(env, $1) if LINK =~ path
      return see_other(env, nil) if path == '/.tasuki/preview/off'
    end
    if path[0, 8] == '/assets/'
      file = asset(env, path)
      return file if file
    end
    seen = token || (env['HTTP_COOKIE'] && COOKIE =~ env['HTTP_COOKIE'] && $1)
    return preview(env, seen, token) if seen
    return maintenance(env) if File.exist?(@page) && path != @probe
    if File.exist?(@stand_in) && !listening?
      answer = forward(env, "[unix:#{@stand_in}]", id_of(env))
      return answer if answer
    end
    to_app(env)
  end

  private

  # Leaves for an error page what it must know; h2o takes the request's headers away before.
  def to_app(env)
    left = {}
    id = env['HTTP_X_REQUEST_ID']
    left['x-fallthru-set-proxy-id'] = id if id && SANE_ID =~ id
    left['x-fallthru-set-proxy-html'] = '1' if html?(env)
    [399, left, []]
  end

  def html?(env)
    accept = env['HTTP_ACCEPT']
    accept && accept.downcase.include?('text/html')
  end

  def bad_host(env)
    error(400, id_of(env), html?(env))
  end

  # Not the probe by which a deploy sees the app, and not the questions of an authority that makes certificates.
  def may_redirect?(path)
    path != @probe && path[0, 28] != '/.well-known/acme-challenge/'
  end

  def redirect(env)
    host = env['HTTP_HOST'].sub(/:[0-9]+\z/, '').downcase
    [308, { 'location' => "https://#{host}#{@tls_suffix}#{target(env)}", 'x-request-id' => id_of(env) }, []]
  end

  # The link of `deploy preview`, and the way out of it.
  def see_other(env, token)
    secure = env['rack.url_scheme'] == 'https' ? '; Secure' : ''
    cookie = token ? "tasuki_preview=#{token}; Path=/; HttpOnly; SameSite=Lax#{secure}" : OFF
    headers = { 'set-cookie' => cookie, 'cache-control' => 'no-store', 'referrer-policy' => 'no-referrer' }
    [303, headers.merge('location' => "#{origin(env)}/"), []]
  end

  def origin(env)
    "#{env['rack.url_scheme']}://#{env['HTTP_HOST']}"
  end

  # A look at a release that is not admitted yet. Without the socket there is no preview.
  def preview(env, token, by_header)
    id = id_of(env)
    to, release = shown_at(token)
    status, headers, body = to ? forward(env, to, id) : nil
    headers['x-release'] ||= release if status && release
    return [status, headers.merge('cache-control' => 'no-store'), body] if status
    over = { 'set-cookie' => OFF }
    if !by_header && %w(GET HEAD).include?(env['REQUEST_METHOD'])
      return [302, json_headers(id).merge(over).merge('location' => "#{origin(env)}#{target(env)}"), []]
    end
    status, headers, body = error(410, id, false, 'this preview has ended')
    [status, headers.merge(over), body]
  end

  # Its socket. An image that opens none is shown where its release has an address of its own, while `deploy` keeps a file: a token
  # begins with the name by which Docker knows it.
  def shown_at(token)
    socket = "#{@previews}/#{token}.sock"
    return ["[unix:#{socket}]", nil] if File.exist?(socket)
    name = OF =~ token && $1
    name && File.exist?("#{@previews}/#{token}.open") ? ["#{name}:#{@port}", name] : nil
  end

  def maintenance(env)
    id = id_of(env)
    answer = error(503, id, false, 'down for maintenance')
    if html?(env)
      answer[1]['content-type'] = 'text/html; charset=utf-8'
      answer[2] = [File.open(@page) { |file| file.read }]
    end
    answer[1]['retry-after'] = '60'
    answer
  end

  # The smallest form of a static file that the client takes. h2o sends it from a path inside that has its headers.
  def asset(env, path)
    return nil unless %w(GET HEAD).include?(env['REQUEST_METHOD']) && ASSET =~ path
    name = $1
    accepted = env['HTTP_ACCEPT_ENCODING']
    form, = accepted && FORMS.find { |one, taken| taken =~ accepted && file?("#{@assets}/#{one}/#{name}") }
    return nil unless form || file?("#{@assets}/#{name}")
    [200, { 'x-reproxy-url' => "#{@inside}/#{HASHED =~ name ? 'hashed' : 'plain'}/#{form || 'identity'}/#{name}" }, []]
  end

  # No link is followed.
  def file?(path)
    File.exist?(path) && File.file?(path) && !File.symlink?(path)
  end

  # What the kernel's tables say of a listener at the app's address, in both. Null: it cannot be seen from here.
  def listener(address)
    numbers = /\A(\d+)\.(\d+)\.(\d+)\.(\d+):(\d+)\z/.match(address)
    return nil unless numbers && numbers[1] == '127'
    ip = [4, 3, 2, 1].map { |i| numbers[i].to_i.to_s(16).rjust(2, '0') }.join.upcase
    port = numbers[5].to_i.to_s(16).rjust(4, '0').upcase
    { '/proc/net/tcp' => /^ *\d+: (?:#{ip}|0{8}):#{port} \S+ 0A/, '/proc/net/tcp6' => /^ *\d+: 0{32}:#{port} \S+ 0A/ }
  end

  # Whether anybody listens at the app's address. h2o sends a connection that is refused nowhere else: that is decided before.
  def listening?
    return true unless @listener
    now = Time.now.to_f
    return @listening if now - @looked < LISTENING_FOR && now >= @looked
    @looked = now
    @listening = @listener.any? { |table, line| listed?(table, line) }
  end

  # The listeners come first. To read on costs a thousandth of a second, so it is done in pieces, while there are listeners.
  def listed?(table, line)
    return false unless File.exist?(table) # no IPv6
    file = IO.for_fd(IO.sysopen(table))
    read = ''
    loop do
      read << file.sysread(512)
      return true if line =~ read
      return false if /^ *\d+: \S+ \S+ 0[1-9B]/ =~ read
    end
  rescue EOFError
    false
  ensure
    file.close if file
  end
end
