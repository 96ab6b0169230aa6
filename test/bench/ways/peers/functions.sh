# What the commands of a way share. N is the number of the version that is to serve; /ways/version holds it too.
set -u
run=/run/ways
touch $run/ready

# Waits until the command is true, at most 60 s, or TRIES times 50 ms.
await() {
  for _ in $(seq "${TRIES:-1200}"); do
    "$@" && return
    sleep 0.05
  done
  echo "waited in vain: $*" >&2
  exit 1
}

# Whether so many processes (1) of the new version have said that they accept.
ready() { [ "$(grep -cx "$N" $run/ready)" -ge "${1:-1}" ]; }

# Whether uWSGI has been through with as many chain reloads as there were versions after the first.
chained() { [ "$(grep -c 'chain reloading complete' $run/log)" -ge $((N - 1)) ]; }

# Whether the process of a pid file is gone.
gone() { ! kill -0 "$1" 2> /dev/null; }

# nginx passes everything on to this port from its next reload on.
upstream() { echo "server 127.0.0.1:$1; keepalive 0;" > /ways/upstream.conf; }
no_old_nginx() { ! pgrep -f 'nginx: worker process is shutting down' > /dev/null; }
