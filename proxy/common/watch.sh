#!/bin/bash
# Looks once a second for what neither nginx nor h2o notices by itself.
#
# A release's container that has another address: the proxy is told, where each release has its own (STRATEGY=upstream).
#
# A new certificate: the proxy reloads. What is open stays with the process that it came to, which answers what it has begun and
# leaves. What the proxy cannot use it reports on standard error, and goes on with what it had.
#
# A dead network namespace: the proxy ends. When the pod's container dies, Docker starts it again with a new namespace, but this
# one stays in the old: no interface is left but lo, and nothing reaches it any more. Once the proxy exits, the restart policy
# starts it in the new namespace. (/proc/net/dev follows the process's namespace; /sys/class/net shows the one /sys was
# mounted in.)

has_interface() {
  local name
  while read -r name _; do
    case $name in
      lo:*) ;;
      *:*) return 0 ;;
    esac
  done </proc/net/dev
  return 1
}

# As old as the certificate that the proxy knows.
certificate_known=/run/proxy/certificate.known

reload_for_certificate() {
  [ "$CERTIFICATE_FILE" -nt "$certificate_known" ] || [ "$CERTIFICATE_FILE" -ot "$certificate_known" ] || return 0
  [ -s "$CERTIFICATE_FILE" ] || return 0 # `-ot` holds for what is not there
  touch -r "$CERTIFICATE_FILE" "$certificate_known" # before the proxy reads it: one that comes meanwhile is another reload
  kill -HUP 1
}

source /etc/proxy-common/upstream.sh

# In a namespace that never had an interface (--network none) there is nothing to watch for.
has_interface || exit 0

touch -r "$CERTIFICATE_FILE" "$certificate_known"
(
  # Looks once a second, for years: a read from what never says anything costs a tenth of a process that sleeps.
  exec {never}<> <(:)
  while has_interface; do
    read -rt 1 -u "$never"
    is_up || continue
    reload_for_certificate
    if [ "${STRATEGY:-}" = upstream ]; then
      ! render || kill -HUP 1
      close_resting
    fi
  done
  echo '{"level":"warn","msg":"the network interface is gone: the pod was replaced; exiting"}'
  # Docker does not try again when it cannot join the pod's namespace, so let the pod come up first.
  sleep 1.5
  kill -TERM 1
  sleep 1
  kill -KILL -1 # h2o would wait for clients that nothing comes from any more
) &
