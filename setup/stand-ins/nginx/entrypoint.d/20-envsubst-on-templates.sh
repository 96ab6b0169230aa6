#!/bin/sh
# Turns templates into configuration: only variables that exist in the environment are replaced,
# so that nginx's own $variables stay.
set -e

templates=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
output=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
filter=${NGINX_ENVSUBST_FILTER:-}
stream_suffix=${NGINX_ENVSUBST_STREAM_TEMPLATE_SUFFIX:-.stream-template}
stream_output=${NGINX_ENVSUBST_STREAM_OUTPUT_DIR:-/etc/nginx/stream-conf.d}

say() {
  [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "$0: $*"
}

# fill SUFFIX OUTPUT
fill() {
  find "$templates" -follow -type f -name "*$1" | sort | while read -r template; do
    relative=${template#"$templates"/}
    target="$2/${relative%"$1"}"
    mkdir -p "$(dirname "$target")"
    say "filling $template to $target"
    envsubst "$names" <"$template" >"$target"
  done
}

[ -d "$templates" ] || exit 0
names=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' | grep -E "$filter" | sed 's/.*/${&}/' | tr '\n' ' ') || true

if [ ! -w "$output" ]; then
  say "ERROR: $output is not writable, so $templates is not used"
  exit 0
fi
fill "$suffix" "$output"

if [ -n "$(find "$templates" -follow -type f -name "*$stream_suffix" -print -quit)" ]; then
  mkdir -p "$stream_output"
  if ! grep -qE '^[[:space:]]*stream[[:space:]]*\{' /etc/nginx/nginx.conf; then
    printf 'stream {\n    include %s/*.conf;\n}\n' "$stream_output" >>/etc/nginx/nginx.conf
  fi
  fill "$stream_suffix" "$stream_output"
fi
