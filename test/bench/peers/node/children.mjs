import { fork } from 'node:child_process';

/** As many processes as our app has children by default, each with a listener of its own on the same port. */
const CHILDREN = 2;

/** Runs `serve` in each child. */
export function inChildren(serve) {
  if (process.send) serve({ host: '127.0.0.1', port: 3000, reusePort: true });
  else for (let n = 0; n < CHILDREN; n++) fork(process.argv[1]);
}
