import { box, type BoxWay } from './box.ts';
import type { Way } from './way.ts';

/** gunicorn by its own signals, under Server::Starter, and behind a proxy that is switched over. */

const GUNICORN = 'gunicorn --config /srv/gunicorn.conf.py';
const one = `${GUNICORN} --bind 127.0.0.1:3000 --pid $run/pid &`;

/** Two ports in turn; the old one ends when no nginx of before the reload is left to pass anything on to it. */
const onPort = `port=$((3001 + N % 2)); ${GUNICORN} --bind 127.0.0.1:$port --pid $run/$N.pid &`;
const switched: Pick<BoxWay, 'firstPort' | 'start' | 'reload'> = {
  firstPort: 3002,
  start: onPort,
  reload: `${onPort} await ready 8; upstream $port; kill -HUP $(cat /ways/nginx.pid)
    sleep 0.2; await no_old_nginx; pid=$(cat $run/$((N - 1)).pid); kill -TERM $pid; await gone $pid`,
};

const rows: Omit<BoxWay, 'protocol'>[] = [
  {
    name: 'gunicorn-hup',
    title: 'standard reload: gunicorn, SIGHUP',
    start: one,
    reload: 'kill -HUP $(cat $run/pid); await ready 8',
  },
  {
    name: 'start-server',
    title: 'socket-owning daemon: Server::Starter with gunicorn',
    start: `start_server --port=127.0.0.1:3000 --pid-file=$run/pid --status-file=$run/status --interval=2 \\
      -- sh -c 'exec ${GUNICORN} --bind fd://\${SERVER_STARTER_PORT##*=}' &`,
    // The status file is written when the first generation has stayed up for the interval.
    reload: 'await test -s $run/status; start_server --restart --pid-file=$run/pid --status-file=$run/status',
  },
  {
    name: 'gunicorn-usr2',
    title: 'master re-fork: gunicorn, USR2, WINCH, TERM',
    start: one,
    reload:
      'pid=$(cat $run/pid); kill -USR2 $pid; await ready 8; kill -WINCH $pid; kill -TERM $pid; await gone $pid',
  },
  {
    name: 'gunicorn-hup-threads',
    title: 'standard reload: gunicorn, 4 workers of 4 threads',
    start: one.replace('--bind', '--workers 4 --threads 4 --bind'),
    reload: 'kill -HUP $(cat $run/pid); await ready 4',
  },
  { name: 'proxy-switch', title: 'proxy switch: nginx upstream and reload', ...switched },
  {
    name: 'proxy-switch-min',
    title: 'proxy switch, `keepalive_min_timeout 5s`',
    ...switched,
    keepaliveMin: '5s',
  },
];

export const GUNICORN_WAYS: Way[] = rows.map((row) => box({ protocol: 'http', ...row }));
