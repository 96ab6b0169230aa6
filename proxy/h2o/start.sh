#!/bin/bash
# Starts h2o below `start_server`, which holds the listening sockets: at SIGHUP it starts another h2o on them, and when that one
# runs it tells the former to answer what it has begun and to leave.
set -euo pipefail

/etc/proxy-common/certificate.sh

bytes() { # 1m, 64k, or a number of bytes
  local number=${1%[kKmMgG]}
  case $1 in
    *[kK]) echo $((number << 10)) ;;
    *[mM]) echo $((number << 20)) ;;
    *[gG]) echo $((number << 30)) ;;
    *) echo "$number" ;;
  esac
}

# h2o adds no header that depends on the request, so each form and lifetime of a static file has a path of its own.
asset_paths() {
  local lifetime form age
  for lifetime in hashed plain; do
    [ $lifetime = hashed ] && age='public, max-age=31536000, immutable' || age='public, max-age=2592000'
    for form in br zstd gzip identity; do
      echo "$INSIDE/$lifetime/$form:"
      echo "        file.dir: $ASSETS_DIR$([ $form = identity ] || echo "/$form")"
      echo "        header.set: 'Cache-Control: $age'"
      [ $form = identity ] || echo "        header.set: 'Content-Encoding: $form'"
      echo "        header.set: 'Vary: Accept-Encoding'"
      echo "        header.set: 'X-Content-Type-Options: nosniff'"
      echo "        header.set: 'Cross-Origin-Resource-Policy: same-origin'"
      echo "        header.set: \"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; sandbox\"" # an SVG opened as a page
      echo -n '      '
    done
  done
}

INSIDE=/.$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
THREADS=$WORKER_PROCESSES
[ "$THREADS" != auto ] || THREADS=$(nproc)
BODY_BYTES=$(bytes "$CLIENT_MAX_BODY_SIZE")
KEEPALIVE_MS=2000
[ "$UPSTREAM_KEEPALIVE" != 0 ] || KEEPALIVE_MS=0
# To be filled in by upstream.sh: they change while h2o runs.
UPSTREAM=@UPSTREAM@ RELEASE=@RELEASE@ SHOWN=@SHOWN@
ASSET_PATHS=$(asset_paths)
# Only where the ports are the usual ones: browsers would ask every other port of this name for TLS.
HSTS='# no HTTPS_REDIRECT'
if [ "$HTTPS_REDIRECT:$PUBLIC_TLS_PORT" = on:443 ]; then
  HSTS="header.setifempty: 'Strict-Transport-Security: max-age=31536000'"
fi
export HSTS INSIDE THREADS BODY_BYTES KEEPALIVE_MS UPSTREAM RELEASE SHOWN ASSET_PATHS
perl -pe 's/\$\{(\w+)\}/$ENV{$1} \/\/ die "$1 is not set\n"/ge' /etc/proxy/h2o.conf.template >/run/proxy/h2o.conf.made
/etc/proxy-common/upstream.sh render
h2o -t -c /run/proxy/h2o.conf >/dev/null

/etc/proxy-common/watch.sh
exec /usr/share/h2o/start_server --backlog=4096 --port="0.0.0.0:$LISTEN_PORT" --port="0.0.0.0:$TLS_PORT" \
  --port="127.0.0.1:$STATUS_PORT" -- sh -c 'echo $$ >/run/proxy/proxy.pid && exec h2o -c /run/proxy/h2o.conf' # h2o's own would be removed by the former one
