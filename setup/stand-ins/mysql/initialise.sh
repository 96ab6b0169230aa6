#!/bin/bash
# initialise.sh DATADIR [mysqld options]: system tables, accounts, /docker-entrypoint-initdb.d.
# Works through a temporary server that only listens on a socket of its own: no client can meet a half-made database.
set -euo pipefail

datadir=$1
shift
run=$(mktemp -d)
socket=$run/init.sock
login=$run/login.cnf
server=

say() { echo "docker-entrypoint.sh: $*"; }
fail() {
  echo "docker-entrypoint.sh: $*" >&2
  exit 1
}
clean_up() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$server" ] || wait "$server" 2>/dev/null || true
  rm -rf "$run"
}
trap clean_up EXIT
trap 'exit 143' TERM INT

# A string for SQL, and one for a [client] option file.
sql_quote() {
  local text=${1//\\/\\\\}
  printf "'%s'" "${text//\'/\\\'}"
}
cnf_quote() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}
write_login() { # password
  (umask 077 && printf '[client]\nuser=root\nsocket=%s\npassword=%s\n' "$socket" "$(cnf_quote "$1")" >"$login")
}
# Passwords go through the file, not the command line, where every process could read them.
sql() { mysql --defaults-extra-file="$login" --protocol=socket --comments "$@"; }

if system-tables.sh copy "$datadir" "$@"; then
  say "took the image's system tables"
else
  say 'creating the system tables'
  mysqld "$@" --initialize-insecure --default-time-zone=SYSTEM --autocommit=1
fi
write_login ''

say 'starting the temporary server'
mysqld "$@" --daemonize=OFF --skip-networking --mysqlx=OFF --default-time-zone=SYSTEM \
  --socket="$socket" --pid-file="$run/init.pid" &
server=$!
for _ in $(seq 300); do
  kill -0 "$server" 2>/dev/null || fail 'the temporary server ended; its log is above'
  sql -e 'DO 1' >/dev/null 2>&1 && break
  sleep 0.2
done
sql -e 'DO 1' >/dev/null || fail 'the temporary server did not answer within a minute'

if [ -z "${MYSQL_INITDB_SKIP_TZINFO:-}" ]; then
  mysql_tzinfo_to_sql /usr/share/zoneinfo 2>/dev/null | sql mysql
fi

if [ -n "${MYSQL_RANDOM_ROOT_PASSWORD:-}" ]; then
  MYSQL_ROOT_PASSWORD=$(openssl rand -base64 24)
  say "GENERATED ROOT PASSWORD: $MYSQL_ROOT_PASSWORD"
fi
root_password=$(sql_quote "${MYSQL_ROOT_PASSWORD:-}")
root_host=${MYSQL_ROOT_HOST-%}
{
  echo "SET @@SESSION.SQL_LOG_BIN=0;"
  if [ -n "$root_host" ] && [ "$root_host" != localhost ]; then
    echo "CREATE USER 'root'@$(sql_quote "$root_host") IDENTIFIED BY $root_password;"
    echo "GRANT ALL ON *.* TO 'root'@$(sql_quote "$root_host") WITH GRANT OPTION;"
  fi
  echo "ALTER USER 'root'@'localhost' IDENTIFIED BY $root_password;"
  echo "GRANT ALL ON *.* TO 'root'@'localhost' WITH GRANT OPTION;"
  echo "DROP DATABASE IF EXISTS test;"
} | sql mysql
write_login "${MYSQL_ROOT_PASSWORD:-}"

database=()
if [ -n "${MYSQL_DATABASE:-}" ]; then
  say "creating the database $MYSQL_DATABASE"
  name=\`${MYSQL_DATABASE//\`/\`\`}\`
  sql mysql <<<"CREATE DATABASE IF NOT EXISTS $name;"
  database=("$MYSQL_DATABASE")
fi
if [ -n "${MYSQL_USER:-}" ] && [ -n "${MYSQL_PASSWORD:-}" ]; then
  say "creating the user $MYSQL_USER"
  {
    echo "CREATE USER $(sql_quote "$MYSQL_USER")@'%' IDENTIFIED BY $(sql_quote "$MYSQL_PASSWORD");"
    # In a GRANT on a database _ and % are patterns.
    [ -z "${MYSQL_DATABASE:-}" ] ||
      echo "GRANT ALL ON ${name//_/\\_}.* TO $(sql_quote "$MYSQL_USER")@'%';"
  } | sql mysql
elif [ -n "${MYSQL_USER:-}${MYSQL_PASSWORD:-}" ]; then
  say 'no user made: MYSQL_USER and MYSQL_PASSWORD are needed together'
fi

# Scripts that are sourced find this function, as in the official image.
docker_process_sql() { sql "${database[@]}" "$@"; }
for file in /docker-entrypoint-initdb.d/*; do
  case $file in
    *.sh)
      if [ -x "$file" ]; then
        say "running $file"
        "$file"
      else
        say "sourcing $file"
        # shellcheck disable=SC1090
        . "$file"
      fi
      ;;
    *.sql) say "running $file" && docker_process_sql <"$file" ;;
    *.sql.gz) say "running $file" && gunzip -c "$file" | docker_process_sql ;;
    *.sql.bz2) say "running $file" && bunzip2 -c "$file" | docker_process_sql ;;
    *.sql.xz) say "running $file" && xzcat "$file" | docker_process_sql ;;
    *.sql.zst) say "running $file" && zstd -dc "$file" | docker_process_sql ;;
    '/docker-entrypoint-initdb.d/*') ;;
    *) say "ignoring $file" ;;
  esac
done

if [ -n "${MYSQL_ONETIME_PASSWORD:-}" ]; then
  sql mysql <<<"ALTER USER 'root'@${root_host:+$(sql_quote "$root_host")} PASSWORD EXPIRE;"
fi

say 'stopping the temporary server'
kill "$server"
wait "$server" || fail 'the temporary server did not stop cleanly'
server=
[ -d "$datadir/mysql" ] || fail "$datadir was not initialised"
