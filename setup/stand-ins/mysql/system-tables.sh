#!/bin/bash
# The system tables of a new data directory take half a minute of CPU, and are the same each time: made once, with the image.
#   system-tables.sh make                            in the Dockerfile
#   system-tables.sh copy DATADIR [mysqld options]   false when these options need other ones
# What must be a server's own is left out: its id, and its keys.
set -euo pipefail

made=/usr/local/share/mysql-system-tables

# Options that are laid down in the files.
layout() {
  mysqld "$@" --verbose --help 2>/dev/null |
    awk '$1 ~ /^(innodb-(page-size|data-file-path|data-home-dir|log-group-home-dir|undo-directory|doublewrite-dir)|lower-case-table-names)$/'
}

case $1 in
  make)
    install -d -o mysql -g mysql "$made"
    setpriv --reuid=mysql --regid=mysql --clear-groups -- mysqld --datadir="$made/data" --disable-log-bin --innodb-redo-log-capacity=8M \
      --initialize-insecure --default-time-zone=SYSTEM --autocommit=1
    rm -f "$made"/data/auto.cnf "$made"/data/*.pem
    layout >"$made/layout"
    ;;
  copy)
    [ "$(layout "${@:3}")" = "$(<"$made/layout")" ] || exit 1
    cp -a --sparse=always "$made/data/." "$2"
    ;;
esac
