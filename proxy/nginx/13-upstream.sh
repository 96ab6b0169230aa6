#!/bin/bash
# Says where the app is: writes what nginx includes. One address as a rule, APP_ADDRESS. With STRATEGY=upstream each release
# has an address of its own: those named in the run folder's list, the first before all others, else whoever answers to the name in
# APP_ADDRESS. `!name` in the list: this one not, it is about to go. nginx is given addresses and not names: it would not start
# with a name that nobody has.
#
# Words, for `deploy` (by exec): `switch` has nginx take the list as it is now, and ends once it is in service. `left SECONDS`
# ends when nothing here goes by a list with another first any more, or says that it is late.
set -uo pipefail

servers=/run/proxy/servers.conf
releases=/run/proxy/releases.conf
first=/run/proxy/upstream.first # who gets all requests
written=/run/proxy/upstream.written # since when, in ticks since the boot
list="$RUN_DIR/upstream"
port="${APP_ADDRESS##*:}"
service="${APP_ADDRESS%:*}"
declare -A addresses=()

# Asks Docker for names, all in one process: this is done once a second, for years. Fills `addresses`.
look_up() {
  local address kind canonical name=''
  while read -r address kind canonical; do
    [ "$kind" = STREAM ] || continue
    name=${canonical:-$name} # said once for each name
    addresses[${name,,}]+="$address "
  done < <(getent ahostsv4 "$@" 2>/dev/null)
}

# In an order of its own: Docker gives those of a name in another order each time. Fills `sorted`.
sort_words() {
  local word i
  sorted=()
  for word in "$@"; do
    for ((i = ${#sorted[@]}; i > 0; i--)); do
      [[ ${sorted[i - 1]} > $word ]] || break
      sorted[i]=${sorted[i - 1]}
    done
    sorted[i]=$word
  done
}

text_of() { # fills `text`
  text=''
  [ ! -r "$1" ] || IFS= read -rd '' text <"$1"
}

# Puts a text in the place of a file; false when it says that already.
put() {
  local text
  text_of "$1"
  [ "$text" != "$2"$'\n' ] || return 1
  echo "$2" >"$1.$BASHPID" && mv "$1.$BASHPID" "$1"
}

# Writes both files; true when one of them has changed.
render() {
  local names=() wanted=() without='' sorted=() text name address found='' lines='' firsts='' known='' shown='' rank=''
  if [ "${STRATEGY:-}" != upstream ]; then
    lines="server $APP_ADDRESS max_fails=0;
server $APP_ADDRESS max_fails=0;" # twice: a new connection that fails is tried once more
  else
    [ ! -r "$list" ] || mapfile -t names <"$list"
    for name in "${names[@]}"; do
      [[ ! ${name#!} =~ ^[A-Za-z0-9._-]{1,64}$ ]] || wanted+=("$name")
    done
    addresses=()
    look_up "${wanted[@]#!}" "$service"
    # One that is missing beside others may have been asked for before Docker answered again.
    [ -z "${wanted[0]:-}" ] || [ -n "${addresses[${wanted[0],,}]:-}" ] || look_up "${wanted[0]}"
    if [ ${#addresses[@]} = 0 ] && [ -s "$servers" ] && ! docker_answers; then
      return 1 # as it was: while the engine is being restarted nobody knows a name, and everybody is where he was
    fi
    for name in "${wanted[@]}"; do
      [[ $name != !* ]] || { name=${name#!} && without+=" ${addresses[${name,,}]:-}"; }
    done
    for name in "${wanted[@]}" "$service"; do
      [[ $name != !* ]] || continue
      [ "$name" != "$service" ] || [ -z "$found" ] || continue
      sort_words ${addresses[${name,,}]:-}
      for address in "${sorted[@]}"; do
        [[ " $without " != *" $address "* ]] || continue
        lines+="server $address:$port max_fails=0$rank;"$'\n'
        [ "$name" = "$service" ] || known+="  \"~(^|[ ,])${address//./\\.}:$port\$\" \"$name\";"$'\n'
        shown+="$name=$address "
        found=yes
      done
      [ -z "$found" ] || [ -n "$rank" ] || { rank=' backup' && firsts=$lines; }
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
  ! put "$first" "$firsts" || now >"$written"
  return $changed
}

# By the pod's own name, which it knows as long as it knows any.
docker_answers() { getent -s dns ahostsv4 "$HOSTNAME" >/dev/null 2>&1; }

now() { # ticks (1/100 s) since the boot, as /proc has the start of a process
  local up
  read -r up _ </proc/uptime
  echo "${up/./}"
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
  local names=() wanted answer seen=0 until=$((SECONDS + 10))
  wanted=$(sed -n 's/^  default "\(.*\)";$/\1/p' "$releases" | tail -1)
  mapfile -t names <"$list"
  if [ -n "${names[0]:-}" ] && [[ "$wanted " != "${names[0]}="* ]]; then
    echo "Docker knows no address of the name ${names[0]}: its container must have it among its aliases, and run" >&2
    return 1
  fi
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

# A worker of before the last change of who is first. It may be shutting down, or not have been told yet.
is_leaving() {
  local process line stat since
  { read -r since <"$written"; } 2>/dev/null || since=0
  for process in /proc/[0-9]*; do
    { IFS= read -rd '' line <"$process/cmdline"; } 2>/dev/null || continue
    [[ $line == 'nginx: worker process'* ]] || continue
    { read -r stat <"$process/stat"; } 2>/dev/null || continue
    set -- ${stat##*) } # from the third field on; the 22nd is the start
    [ "${20}" -ge "$since" ] || return 0
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
