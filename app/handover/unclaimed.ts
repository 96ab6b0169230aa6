import net from 'node:net';

const WINDOW_MS = 10_000;
const EVERY_MS = 500;

/**
 * True when the port refused connections for 10 s on end; false as soon as somebody listens or `waiting` turns false.
 * After a reboot the release that serves may be gone for good; then a standby instance must not wait for ever.
 */
export async function isUnclaimed(
  { host, port }: { host: string; port: number },
  waiting: () => boolean,
): Promise<boolean> {
  const until = performance.now() + WINDOW_MS;
  while (performance.now() < until) {
    if (!waiting() || (await somebodyListens(host, port))) return false;
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  return waiting();
}

function somebodyListens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, host === '0.0.0.0' ? '127.0.0.1' : host);
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
