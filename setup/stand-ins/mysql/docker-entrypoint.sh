#!/bin/bash
# Starts mysqld; on a data directory that is new, or whose first initialisation was cut short, initialises it before.
set -euo pipefail

say() { echo "docker-entrypoint.sh: $*"; }
fail() {
  echo "docker-entrypoint.sh: $*" >&2
  exit 1
}

# Fills VAR from the file named by VAR_FILE.
read_secret() {
  local var=$1 file_var=${1}_FILE
  [ -n "${!file_var:-}" ] || return 0
  [ -z "${!var:-}" ] || fail "$var and $file_var are both set; set one of them"
  [ -r "${!file_var}" ] || fail "$file_var names ${!file_var}, which cannot be read"
  export "$var=$(<"${!file_var}")"
  unset "$file_var"
}

[[ "${1:-}" != -* ]] || set -- mysqld "$@"
[ "${1:-}" = mysqld ] || exec "$@"
for arg in "$@"; do
  case $arg in
    --help | -'?' | --version | -V | --print-defaults | --validate-config) exec "$@" ;;
  esac
done

for var in MYSQL_ROOT_PASSWORD MYSQL_ROOT_HOST MYSQL_DATABASE MYSQL_USER MYSQL_PASSWORD; do
  read_secret "$var"
done

datadir=$(mysqld "${@:2}" --verbose --help 2>/dev/null | awk '$1 == "datadir" { print $2; exit }')
datadir=${datadir%/}
[ -n "$datadir" ] || { mysqld "${@:2}" --verbose --help >/dev/null; fail 'mysqld does not accept these options'; }
mkdir -p "$datadir"

if [ "$(id -u)" = 0 ]; then
  find "$datadir" /var/run/mysqld ! -user mysql -exec chown mysql:mysql '{}' +
  exec setpriv --reuid=mysql --regid=mysql --clear-groups -- "$0" "$@"
fi

# The marker is there from before the first byte of the data until after the last step, so a kill leaves it.
# The server never starts for clients while it exists: what lies beside it is nobody's data.
marker=$datadir/.first-initialisation-unfinished
if [ -e "$marker" ]; then
  say 'the first initialisation was cut short; starting it again from nothing'
  find "$datadir" -mindepth 1 -maxdepth 1 ! -name "${marker##*/}" -exec rm -rf '{}' +
fi
if [ -e "$marker" ] || [ ! -d "$datadir/mysql" ]; then
  [ -n "${MYSQL_ROOT_PASSWORD:-}${MYSQL_ALLOW_EMPTY_PASSWORD:-}${MYSQL_RANDOM_ROOT_PASSWORD:-}" ] ||
    fail 'the data directory is new: set MYSQL_ROOT_PASSWORD (or _FILE), MYSQL_RANDOM_ROOT_PASSWORD or MYSQL_ALLOW_EMPTY_PASSWORD'
  [ "${MYSQL_USER:-}" != root ] || fail 'MYSQL_USER cannot be root; use MYSQL_ROOT_PASSWORD'
  touch "$marker"
  sync "$datadir"
  initialise.sh "$datadir" "${@:2}"
  sync
  rm "$marker"
  sync "$datadir"
  say 'first initialisation done'
fi

unset MYSQL_ROOT_PASSWORD MYSQL_PASSWORD
exec "$@"
