#!/bin/sh
# Runs what lies in /docker-entrypoint.d before nginx starts: *.envsh is sourced, executable *.sh is run.
set -e

say() {
  [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "$0: $*"
}

case "${1:-}" in
  nginx | nginx-debug)
    for hook in $(find /docker-entrypoint.d -follow -type f 2>/dev/null | sort -V); do
      case "$hook" in
        *.envsh)
          if [ -x "$hook" ]; then
            say "sourcing $hook"
            . "$hook"
          else
            say "ignoring $hook, it is not executable"
          fi
          ;;
        *.sh)
          if [ -x "$hook" ]; then
            say "running $hook"
            "$hook"
          else
            say "ignoring $hook, it is not executable"
          fi
          ;;
        *) say "ignoring $hook" ;;
      esac
    done
    ;;
esac

exec "$@"
