#!/bin/sh
# One worker for each processor that the container may use, when asked to.
set -e

[ -n "${NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE:-}" ] || exit 0
[ -w /etc/nginx/nginx.conf ] || exit 0

workers=$(nproc)
if [ -r /sys/fs/cgroup/cpu.max ]; then
  read -r quota period </sys/fs/cgroup/cpu.max
  if [ "$quota" != max ]; then
    allowed=$(((quota + period - 1) / period))
    [ "$allowed" -lt "$workers" ] && workers=$allowed
  fi
fi
sed -i "s/^worker_processes.*;/worker_processes  $workers;/" /etc/nginx/nginx.conf
