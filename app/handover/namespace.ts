import { networkInterfaces } from 'node:os';
import type { Log } from './protocol.ts';

const INTERVAL_MS = 1000;
/** Docker does not retry a start that fails because the pod is not up yet, and brings the pod back in about 0.5 s. */
const GRACE_MS = 1500;

function connected(): boolean {
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some((a) => !a.internal));
}

/**
 * Calls `onGone` once when the network of the pod has disappeared: the pod was replaced and this process is left in a
 * namespace nobody reaches. Does nothing where there was no network to begin with.
 */
export function watchNamespace(log: Log, onGone: () => void): void {
  if (!connected()) return;
  const timer = setInterval(() => {
    if (connected()) return;
    clearInterval(timer);
    setTimeout(() => {
      log('error', 'the network of the pod is gone: exiting, to be restarted in the new one');
      onGone();
    }, GRACE_MS);
  }, INTERVAL_MS);
  timer.unref();
}
