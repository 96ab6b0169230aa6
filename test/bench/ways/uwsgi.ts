import { box, type BoxWay } from './box.ts';
import type { Way } from './way.ts';

/** The ways of uWSGI's own page on graceful reloading, with the options it names. */

const UWSGI = 'uwsgi --ini /srv/uwsgi.ini';
const SOCKET = '--socket 127.0.0.1:3000';
const MIGRATE = ['net.ipv4.tcp_migrate_req=1'];

const one = (more = ''): string => `${UWSGI} ${SOCKET} --pidfile $run/pid --master-fifo $run/fifo ${more} &`;

/** A new instance beside the old one, each with a pid file and a FIFO of its own; then the old one is told to end. */
function beside(options: string, end: string): Pick<BoxWay, 'start' | 'reload'> {
  const instance = `${UWSGI} ${options} --pidfile $run/$N.pid --master-fifo $run/$N.fifo &`;
  const old = 'old=$((N - 1)); pid=$(cat $run/$old.pid)';
  return { start: instance, reload: `${instance} await ready; ${old}; ${end}; await gone $pid` };
}

const INTERRUPT = 'kill -INT $pid';
const GENTLY = 'echo q > $run/$old.fifo';

const router = (port: number, name: string): string =>
  `${UWSGI} --processes 4 --socket 127.0.0.1:${port} --pidfile $run/${name}.pid` +
  ' --subscribe-to 127.0.0.1:4000:app --unsubscribe-on-graceful-reload &';

const rows: Omit<BoxWay, 'protocol'>[] = [
  {
    name: 'stop-start',
    title: 'stop, then start (control)',
    start: one(),
    reload: `pid=$(cat $run/pid); kill -INT $pid; await gone $pid; ${one()} await ready`,
  },
  {
    name: 'uwsgi-hup',
    title: 'standard reload: uWSGI, SIGHUP',
    start: one(),
    reload: 'kill -HUP $(cat $run/pid)',
  },
  {
    name: 'uwsgi-workers',
    title: 'worker reload: uWSGI `lazy-apps`, FIFO `w`',
    start: one('--lazy-apps'),
    reload: 'echo w > $run/fifo',
  },
  {
    name: 'uwsgi-chain',
    title: 'chain reload: uWSGI `lazy-apps`, FIFO `c`',
    start: one('--lazy-apps'),
    reload: 'echo c > $run/fifo; TRIES=12000 await chained',
  },
  {
    name: 'uwsgi-chain-threads',
    title: 'chain reload: uWSGI, 4 workers of 4 threads',
    start: one('--lazy-apps --processes 4 --threads 4'),
    reload: 'echo c > $run/fifo; TRIES=12000 await chained',
  },
  {
    name: 'uwsgi-zerg',
    title: 'socket-owning daemon: uWSGI zerg pool',
    start: `uwsgi --plugin zergpool --master --listen 1024 --zerg-pool $run/pool:127.0.0.1:3000 &
      await test -S $run/pool; ${beside('--zerg $run/pool', GENTLY).start}`,
    reload: beside('--zerg $run/pool', GENTLY).reload,
  },
  {
    name: 'reuse-port-int',
    title: 'reuse-port: uWSGI, old one interrupted (SIGINT)',
    ...beside(`${SOCKET} --reuse-port`, INTERRUPT),
  },
  {
    name: 'reuse-port-gently',
    title: 'reuse-port: uWSGI, old one asked gently (FIFO `q`)',
    ...beside(`${SOCKET} --reuse-port`, GENTLY),
  },
  {
    name: 'reuse-port-int-migrate',
    title: 'reuse-port, interrupted, `tcp_migrate_req=1`',
    ...beside(`${SOCKET} --reuse-port`, INTERRUPT),
    sysctls: MIGRATE,
  },
  {
    name: 'reuse-port-gently-migrate',
    title: 'reuse-port, asked gently, `tcp_migrate_req=1`',
    ...beside(`${SOCKET} --reuse-port`, GENTLY),
    sysctls: MIGRATE,
  },
  {
    name: 'uwsgi-fork',
    title: 'master re-fork: uWSGI, FIFO `f`',
    start: 'uwsgi --ini /srv/fork.ini &',
    reload: 'old=$((N - 1)); echo f > $run/$old.fifo; await ready; echo q > $run/$old.fifo',
  },
  {
    name: 'uwsgi-subscription',
    title: 'subscription server: uWSGI fastrouter, two instances in turn',
    start: `uwsgi --plugin fastrouter --master --listen 1024 --fastrouter 127.0.0.1:3000 \\
      --fastrouter-subscription-server 127.0.0.1:4000 & ${router(3101, 'a')} ${router(3102, 'b')}`,
    reload: 'kill -HUP $(cat $run/a.pid); await ready 1; kill -HUP $(cat $run/b.pid); await ready 2',
  },
];

export const UWSGI_WAYS: Way[] = rows.map((row) => box({ protocol: 'uwsgi', ...row }));
