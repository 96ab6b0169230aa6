#!/bin/bash
# Says where the app is: writes what nginx includes. One address as a rule, APP_ADDRESS. With STRATEGY=upstream each release
# has an address of its own: those named in the run folder's list, the first before all others, else whoever answers to the name in
# APP_ADDRESS. nginx is given addresses and not names: it would not start with a name that nobody has.
#
# Words, for `deploy` (by exec): `switch` has nginx take the list as it is now, and ends once it is in service. `left RELEASE SECONDS`
# ends when nothing here can go to that release any more.
set -uo pipefail

servers=/run/proxy/servers.conf
releases=/run/proxy/releases.conf
list="$RUN_DIR/upstream"
port="${APP_ADDRESS##*:}"

addresses_of() { # names; prints "address name"
  getent ahostsv4 "$@" 2>/dev/null | while read -r address kind _; do
    [ "$kind" != STREAM ] || echo "$address"
  done
}

# Puts a text in the place of a file; false when it says that already.
put() {
  [ "$(cat "$1" 2>/dev/null)" != "$2" ] || return 1
  echo "$2" >"$1.$BASHPID" && mv "$1.$BASHPID" "$1"
}

# Writes both files; true when one of them has changed.
render() {
  local names=() name address found='' lines='' known='' shown='' rank=''
  if [ "${STRATEGY:-}" != upstream ]; then
    lines="server $APP_ADDRESS max_fails=0;
server $APP_ADDRESS max_fails=0;" # twice: a new connection that fails is tried once more
  else
    [ ! -r "$list" ] || mapfile -t names <"$list"
    for name in "${names[@]}" "${APP_ADDRESS%:*}"; do
      [[ $name =~ ^[A-Za-z0-9._-]{1,64}$ ]] || continue
      [ "$name" != "${APP_ADDRESS%:*}" ] || [ -z "$found" ] || continue
      for address in $(addresses_of "$name"); do
        lines+="server $address:$port max_fails=0$rank;"$'\n'
        [ "$name" = "${APP_ADDRESS%:*}" ] || known+="  \"~(^|[ ,])${address//./\\.}:$port\$\" \"$name\";"$'\n'
        shown+="$name=$address "
        found=yes
      done
      [ -z "$found" ] || rank=' backup'
    done
    [ -n "$found" ] || lines='server unix:/run/proxy/nobody.sock;' # nobody yet: 502, or the stand-in
  fi
  local changed=1
  put "$servers" "# Made by 13-upstream.sh.
$lines" && changed=0
  put "$releases" "# Made by 13-upstream.sh: which release has which address, and the list that is in service.
map \$upstream_addr \$release_of_address {
  default \"\";
$known}
map \$server_port \$upstream_list {
  default \"${shown% }\";
}" && changed=0
  return $changed
}

in_service() { # what nginx answers, of the list it goes by
  local line='' answer=''
  exec 3<>"/dev/tcp/127.0.0.1/$STATUS_PORT" || return 1
  printf 'GET /upstream HTTP/1.0\r\n\r\n' >&3
  while IFS= read -r line <&3; do answer=$line; done
  exec 3>&-
  echo "$answer"
}

# For a moment of a reload old and new workers both take connections: ten looks in a row.
switch() {
  render && kill -HUP 1
  local wanted answer seen=0 until=$((SECONDS + 10))
  wanted=$(sed -n 's/^  default "\(.*\)";$/\1/p' "$releases" | tail -1)
  while [ $seen -lt 10 ]; do
    if answer=$(in_service 2>/dev/null) && [ "$answer" = "$wanted" ]; then
      seen=$((seen + 1))
    else
      seen=0
      sleep 0.02
    fi
    if [ $SECONDS -ge $until ]; then
      echo "nginx does not go by the list \"$wanted\": docker compose logs proxy" >&2
      return 1
    fi
  done
  echo "$wanted"
}

is_leaving() { # a worker of before the last reload, which goes by the list of then
  local file line
  for file in /proc/[0-9]*/cmdline; do
    { IFS= read -rd '' line <"$file"; } 2>/dev/null || continue
    [[ $line != *'worker process is shutting down'* ]] || return 0
  done
  return 1
}

left() {
  local until=$((SECONDS + $1))
  while is_leaving; do
    [ $SECONDS -lt $until ] || { echo late && return 0; }
    sleep 0.1
  done
  echo left
}

[ "${BASH_SOURCE[0]}" = "$0" ] || return 0
case "${1:-}" in
  switch) switch ;;
  left) left "$2" ;;
  *) render || true ;;
esac
