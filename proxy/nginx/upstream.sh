#!/bin/bash
# What nginx includes to know where the app is. Read by ../common/upstream.sh, which says what there is to write.

is_worker() { [[ $1 == 'nginx: worker process'* ]]; }

write_upstream() {
  local i lines='' names='' rank='' changed=1
  for i in "${!who[@]}"; do
    [ "${who[i]}" = "$first" ] || rank=' backup'
    lines+="server ${where[i]} max_fails=0$rank;"$'\n'
    [ "${who[i]}" = "$service" ] || names+="  \"~(^|[ ,])${where[i]//./\\.}\$\" \"${who[i]}\";"$'\n'
  done
  if [ "${STRATEGY:-}" != upstream ]; then
    lines="server $APP_ADDRESS max_fails=0;
server $APP_ADDRESS max_fails=0;" # twice: a new connection that fails is tried once more
  elif [ -z "$lines" ]; then
    lines='server unix:/run/proxy/nobody.sock;' # nobody yet: 502, or the stand-in
  fi
  put /run/proxy/servers.conf "# Made by upstream.sh.
$lines" && changed=0
  put /run/proxy/releases.conf "# Made by upstream.sh: which release has which address, and the list that is in service.
map \$upstream_addr \$release_of_address {
  default \"\";
$names}
map \$server_port \$upstream_list {
  default \"$shown\";
}" && changed=0
  return $changed
}

close_resting() { :; } # nginx does, 5 s after a reload (keepalive_min_timeout)
