#!/bin/sh
# Options and *.conf files mean redis-server; a server started as root gives its rights up first.
set -e

case "${1:-}" in
  -* | *.conf) set -- redis-server "$@" ;;
esac

if [ "$1" = redis-server ]; then
  # The official build has no protected mode, and other containers must reach it. Options of the user come later and win.
  shift
  case "${1:-}" in
    -v | --version | -h | --help | --test-memory | --check-system) exec redis-server "$@" ;;
    '' | -*) set -- redis-server --protected-mode no "$@" ;;
    *)
      config=$1
      shift
      set -- redis-server "$config" --protected-mode no "$@"
      ;;
  esac
fi

if [ "$1" = redis-server ] || [ "$1" = redis-sentinel ]; then
  [ "$(umask)" != 0022 ] || umask 0077
  if [ "$(id -u)" = 0 ]; then
    find . ! -user redis -exec chown redis '{}' + || echo 'docker-entrypoint.sh: some files could not be given to redis' >&2
    exec setpriv --reuid=redis --regid=redis --clear-groups -- "$@"
  fi
fi

exec "$@"
