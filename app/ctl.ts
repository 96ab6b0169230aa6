import net from 'node:net';

/**
 * `node ctl <command>`: talks to the supervisor of this instance; see docs/contract.md. It loads nothing else unless it is
 * asked to look inside: it is started by `docker exec` in the middle of a deploy, where every millisecond counts.
 */

const SOCKET = process.env.CONTROL_SOCKET ?? '/tmp/tasuki.sock';
const SESSION_WAIT_MS = 60_000;
const RETRY_MS = 10;
const REPLY_WAIT_MS = 10_000;

const USAGE = `usage: node ctl <command>
  state           what this instance is and does, as JSON
  check [path]    one request to each child on its private socket (default /readyz)
  health          exit 0 while the instance does its job
  cache           what the shared cache holds: keys, sizes and lifetimes by namespace
  metrics         the figures of all children, summed, in Prometheus' format
  profile [--seconds 10]   a CPU profile of one child; redirect it into a file.cpuprofile
  heap            a heap snapshot of one child; redirect it into a file.heapsnapshot
  session         lines of JSON on standard input and output, for the deployer
`;

function fail(message: string, code = 1): never {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}

/** Joins standard input and output to the socket, waiting until the supervisor has opened it. */
function session(deadline: number): void {
  const socket = net.connect(SOCKET);
  socket.once('error', (error) => {
    if (performance.now() > deadline) fail(`no supervisor on ${SOCKET}: ${error.message}`);
    setTimeout(() => session(deadline), RETRY_MS);
  });
  socket.once('connect', () => {
    socket.removeAllListeners('error');
    socket.on('error', () => process.exit(1));
    process.stdin.pipe(socket).pipe(process.stdout);
    process.stdin.on('error', () => socket.destroy());
    process.stdout.on('error', () => process.exit(0));
    socket.on('close', () => process.exit(0));
  });
}

/** Sends one request and prints the result. */
function once(request: object, report: (result: Record<string, unknown>) => void): void {
  const socket = net.connect(SOCKET);
  const timer = setTimeout(() => fail(`no answer within ${REPLY_WAIT_MS} ms`), REPLY_WAIT_MS);
  let text = '';
  socket.setEncoding('utf8');
  socket.on('error', (error) => fail(`no supervisor on ${SOCKET}: ${error.message}`));
  socket.on('connect', () => socket.write(`${JSON.stringify({ id: 1, ...request })}\n`));
  socket.on('data', (chunk: string) => {
    text += chunk;
    if (!text.includes('\n')) return;
    clearTimeout(timer);
    const reply = JSON.parse(text) as {
      ok: boolean;
      result: Record<string, unknown>;
      error?: { message: string };
    };
    if (!reply.ok) fail(reply.error?.message ?? 'failed');
    report(reply.result);
    socket.destroy();
  });
}

const print = (result: object): void => void process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
/** Runs what looks into the children. */
function look(what: (inside: typeof import('./observe/ctl.ts')) => Promise<void>): void {
  import('./observe/ctl.ts').then(what).catch((error: unknown) => fail((error as Error).message));
}

/** `--seconds 10`, `--seconds=10` or `10`. */
function seconds(words: string[]): number {
  const value = Number(words.join(' ').replace(/^--seconds[ =]/, '') || 10);
  return value > 0 && value <= 120 ? value : fail('profile: --seconds takes a number up to 120', 2);
}

const [command, argument, ...more] = process.argv.slice(2);
switch (command) {
  case 'session':
    session(performance.now() + SESSION_WAIT_MS);
    break;
  case 'state':
    once({ do: 'state' }, print);
    break;
  case 'check':
    once({ do: 'check', path: argument ?? '/readyz' }, (result) => {
      print(result);
      process.exitCode = Number(result.status) < 400 ? 0 : 1;
    });
    break;
  case 'health':
    once({ do: 'health' }, (result) => (process.exitCode = result.healthy === true ? 0 : 1));
    break;
  case 'cache': {
    look(async ({ printCache }) => void (process.exitCode = (await printCache(process.env)) ? 0 : 1));
    break;
  }
  case 'metrics':
    look(({ printMetrics }) => printMetrics());
    break;
  case 'profile': {
    const time = seconds([argument ?? '', ...more].filter(Boolean));
    look(({ printProfile }) => printProfile(time));
    break;
  }
  case 'heap':
    look(({ printHeap }) => printHeap());
    break;
  default:
    process.stderr.write(USAGE);
    process.exitCode = command === 'help' || command === '--help' ? 0 : 2;
}
