#!/bin/bash
# Writes h2o's configuration: what start.sh made of the template, and where the app is. Read by ../common/upstream.sh, which says
# what there is to write. h2o has one address: another release does not stand in for the first.

is_worker() { [ "$1" = h2o ]; }

write_upstream() {
  local text to=unix:/run/proxy/nobody.sock release='' # nobody yet: 502
  [ "${STRATEGY:-}" = upstream ] && to=${where[0]:-$to} || to=$APP_ADDRESS
  [[ $to != unix:* ]] || to="[$to]"
  # An image that does not say which release it is, is told by its address.
  [ -z "$first" ] || [ "$first" = "$service" ] || release="header.setifempty: 'X-Release: $first'"
  text=$(</run/proxy/h2o.conf.made)
  text=${text//@UPSTREAM@/http://$to/}
  text=${text//@RELEASE@/${release:-# says itself which release it is}}
  put /run/proxy/h2o.conf "${text//@SHOWN@/$shown}"
}

declare -A at_rest=() # what an h2o that leaves had read and written when it was last looked at

# An h2o that leaves would wait 65 s for clients whose connections rest, and send their next request to a release that has gone
# by then. nginx closes them after 5 s, and so does this: h2o has no word for it, but one with which nothing has happened from one
# look to the next can be ended.
close_resting() {
  local pid since had
  find_leaving || { at_rest=(); return; }
  { read -r since <"$written"; } 2>/dev/null || return
  [ $(($(now) - since)) -ge 500 ] || return
  for pid in "${leaving[@]}"; do
    had=$(head -2 "/proc/$pid/io" 2>/dev/null) || continue
    is_at_rest "$pid" || had=busy
    [ "$had" = busy ] || [ "${at_rest[$pid]:-}" != "$had" ] || kill -KILL "$pid"
    at_rest[$pid]=$had
  done
}

# Whether it listens no more, has no connection to a release, no socket to a preview, and nothing to read or to send.
is_at_rest() {
  local own tables=(/proc/net/tcp)
  [ ! -r /proc/net/tcp6 ] || tables+=(/proc/net/tcp6) # there is none where IPv6 is off
  own=$(ls -l "/proc/$1/fd" 2>/dev/null | sed -n 's/.* -> socket:\[\([0-9]*\)\]$/\1/p') || return
  awk -v own="$own" -v port="$(printf ':%04X$' "$port")" '
    BEGIN { split(own, all); for (i in all) mine[all[i]] = 1 }
    $10 in mine { delete mine[$10]; if ($4 == "0A" || $3 ~ port || $5 != "00000000:00000000") busy = 1 }
    END { for (one in mine) busy = 1; exit busy }' "${tables[@]}"
}
