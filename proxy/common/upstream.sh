#!/bin/bash
# Says where the app is, to nginx and h2o alike. One address as a rule, APP_ADDRESS. With STRATEGY=upstream each release has an
# address of its own: those named in the run folder's list, the first before all others, else whoever answers to the name in
# APP_ADDRESS. `!name` in the list: this one not, it is about to go. The proxy is given addresses and not names: nginx would not
# start with a name that nobody has.
#
# Words: `render` writes what the proxy reads when it starts. For `deploy` (by exec): `switch` has the proxy take the list as
# it is now, and ends once it is in service. `left SECONDS` ends when nothing here goes by a list with another first any more, or
# says that it is late.
set -uo pipefail

# Of either proxy: `write_upstream` writes for it whom to go to, from the arrays `who` and `where`, `first` and `shown`, and is
# true when that has changed; `is_worker` tells one of its processes by its title; `close_resting` is called once a second.
source /etc/proxy/upstream.sh

list="$RUN_DIR/upstream"
list_known=/run/proxy/upstream.known # what was made of the list last
firsts=/run/proxy/upstream.first # who gets all requests
written=/run/proxy/upstream.written # since when, in ticks since the boot
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

# Puts a text in the place of a file; false when it says that already.
put() {
  local text=''
  [ ! -r "$1" ] || IFS= read -rd '' text <"$1"
  [ "$text" != "$2"$'\n' ] || return 1
  echo "$2" >"$1.$BASHPID" && mv "$1.$BASHPID" "$1"
}

# By the pod's own name, which it knows as long as it knows any.
docker_answers() { getent -s dns ahostsv4 "$HOSTNAME" >/dev/null 2>&1; }

# Writes what the proxy reads; true when it has changed. One at a time: who reads the list later must write later.
render() {
  local lock status
  exec {lock}>/run/proxy/upstream.lock
  flock -w 10 "$lock"
  find_and_write
  status=$?
  exec {lock}>&-
  return $status
}

find_and_write() {
  local who=() where=() first='' shown='' all='' names=() wanted=() without='' sorted=() name address
  if [ "${STRATEGY:-}" != upstream ]; then
    write_upstream
    return
  fi
  [ ! -r "$list" ] || mapfile -t names <"$list"
  for name in "${names[@]}"; do
    [[ ! ${name#!} =~ ^[A-Za-z0-9._-]{1,64}$ ]] || wanted+=("$name")
  done
  addresses=()
  look_up "${wanted[@]#!}" "$service"
  # One that is missing beside others may have been asked for before Docker answered again.
  [ -z "${wanted[0]:-}" ] || [ -n "${addresses[${wanted[0],,}]:-}" ] || look_up "${wanted[0]}"
  if [ ${#addresses[@]} = 0 ] && [ -s "$written" ] && ! docker_answers; then
    return 1 # as it was: while the engine is being restarted nobody knows a name, and everybody is where he was
  fi
  for name in "${wanted[@]}"; do
    [[ $name != !* ]] || { name=${name#!} && without+=" ${addresses[${name,,}]:-}"; }
  done
  for name in "${wanted[@]}" "$service"; do
    [[ $name != !* ]] || continue
    [ "$name" != "$service" ] || [ ${#who[@]} = 0 ] || continue
    sort_words ${addresses[${name,,}]:-}
    for address in "${sorted[@]}"; do
      [[ " $without " != *" $address "* ]] || continue
      : "${first:=$name}"
      who+=("$name") where+=("$address:$port")
      shown+="${shown:+ }$name=$address"
      [ "$name" != "$first" ] || all+=" $address"
    done
  done
  put "$list_known" "$shown"
  ! put "$firsts" "$all" || now >"$written"
  write_upstream
}

now() { # ticks (1/100 s) since the boot, as /proc has the start of a process
  local up
  read -r up _ </proc/uptime
  echo "${up/./}"
}

# Whether the proxy can be told to reload: before that nobody hears the signal.
is_up() { [ -s /run/proxy/proxy.pid ]; }

in_service() { # what the proxy answers, of the list it goes by
  local line='' answer=''
  exec 3<>"/dev/tcp/127.0.0.1/$STATUS_PORT" || return 1
  printf 'GET /upstream HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
  while IFS= read -r line <&3; do answer=$line; done
  exec 3>&-
  echo "$answer"
}

# For a moment old and new workers both take connections: ten looks in a row.
switch() {
  local names=() wanted answer seen=0 until=$((SECONDS + 10))
  until is_up || [ $SECONDS -ge $until ]; do sleep 0.02; done
  render && kill -HUP 1
  wanted=$(<"$list_known")
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
      echo "the proxy does not go by the list \"$wanted\": docker compose logs proxy" >&2
      return 1
    fi
  done
  echo "$wanted"
}

# Workers of before the last change of who is first: they may be shutting down, or not have been told yet. Fills `leaving`; false
# when there are none.
find_leaving() {
  local process line stat since
  leaving=()
  { read -r since <"$written"; } 2>/dev/null || since=0
  for process in /proc/[0-9]*; do
    { IFS= read -rd '' line <"$process/cmdline"; } 2>/dev/null || continue
    is_worker "$line" || continue
    { read -r stat <"$process/stat"; } 2>/dev/null || continue
    set -- ${stat##*) } # from the third field on; the 22nd is the start
    [ "${20}" -ge "$since" ] || leaving+=("${process#/proc/}")
  done
  [ ${#leaving[@]} != 0 ]
}

left() {
  local until=$((SECONDS + $1))
  while find_leaving; do
    [ $SECONDS -lt $until ] || { echo late && return 0; }
    sleep 0.1
  done
  echo left
}

[ "${BASH_SOURCE[0]}" = "$0" ] || return 0
case "${1:-}" in
  switch) switch ;;
  left) left "$2" ;;
  render) render || true ;;
esac
