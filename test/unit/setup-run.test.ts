import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRunning, parseStack } from '../../setup/compose.ts';
import { describeError, SetupError } from '../../setup/errors.ts';
import { parseOsRelease } from '../../setup/machine.ts';
import { runInPlainLines } from '../../setup/progress.ts';
import { capture, lastLines, run } from '../../setup/run.ts';

const signal = new AbortController().signal;
const context = { root: '/', env: {}, signal };

void test('a command that fails becomes an error with its last lines and what to do', async () => {
  const attempt = run('sh', ['-c', 'echo first; echo broken >&2; exit 7'], {
    what: 'Trying it',
    next: 'repair it.',
    timeoutMs: 5000,
    signal,
  });
  await assert.rejects(attempt, (error: unknown) => {
    const text = describeError(error);
    assert.match(text, /Trying it failed.*exit code 7/);
    assert.match(text, /\| broken/);
    assert.match(text, /What to do: repair it\./);
    return true;
  });
});

void test('a command that hangs is ended at its time limit and the error says so', async () => {
  const attempt = run('sleep', ['30'], { what: 'Waiting', next: 'wait.', timeoutMs: 200, signal });
  await assert.rejects(attempt, /Waiting failed.*did not end within 0\.2 s/);
});

void test('a command that does not exist is an answer, not a crash', async () => {
  assert.equal((await capture('no-such-command-here', [], { timeoutMs: 1000, signal })).ok, false);
});

void test('an interrupt ends the command that runs', async () => {
  const interrupt = new AbortController();
  const attempt = run('sleep', ['30'], {
    what: 'Waiting',
    next: 'wait.',
    timeoutMs: 60_000,
    signal: interrupt.signal,
  });
  setTimeout(() => interrupt.abort(new Error('SIGINT')), 50);
  await assert.rejects(attempt, /SIGINT/);
});

void test('the last lines come without colours, and of a progress bar only the last state', () => {
  assert.deepEqual(lastLines('\u001B[31mred\u001B[0m\n\n 10%\r 100%\nend\n', 2), ['100%', 'end']);
});

void test('a step that has nothing to do is not carried out', async () => {
  const lines: string[] = [];
  const step = {
    title: 'Engine',
    look: () => Promise.resolve({ done: true, text: 'there' }),
    act: () => Promise.reject(new Error('must not act')),
  };
  await runInPlainLines(step, context, (line) => lines.push(line));
  assert.deepEqual(lines, ['Engine: there']);
});

void test('a long step shows its latest line at least every ten seconds', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'Date'] });
  const lines: string[] = [];
  const { promise: finished, resolve: finish } = Promise.withResolvers<string>();
  const { promise: started, resolve: start } = Promise.withResolvers<void>();
  const done = runInPlainLines(
    {
      title: 'Images',
      look: () => Promise.resolve({ done: false, text: 'build' }),
      act(_, output) {
        output.progress('compiling');
        start();
        return finished;
      },
    },
    context,
    (line) => lines.push(line),
  );
  await started;
  t.mock.timers.tick(10_000);
  finish('built');
  await done;
  assert.deepEqual(lines, ['Images: build', '  … 10 s: compiling', 'Images: built (10 s)']);
});

void test('the stack is read from what Compose prints, with names other than the defaults', () => {
  const config = {
    'x-deploy': { service: 'web', pod: 'net' },
    services: {
      web: { image: 'shop:v7' },
      net: {
        ports: [
          { target: 443, published: '9443' },
          { target: 80, published: '9090' },
        ],
      },
      worker: { image: 'shop:v1' },
      clock: { image: 'shop:v1' },
    },
  };
  assert.deepEqual(parseStack(JSON.stringify(config)), {
    service: 'web',
    image: 'shop:v7',
    images: ['shop:v7', 'shop:v1'],
    pod: 'net',
    port: 9090,
    tlsPort: 9443,
    probe: '/healthz',
  });
  assert.throws(() => parseStack('{"services":{}}'), SetupError);
});

void test('running containers are read from both forms that Compose prints', () => {
  const one = { Service: 'app', Image: 'app:v1', State: 'running', Health: 'healthy' };
  const two = { Service: 'pod', Image: 'debian:trixie-slim', State: 'running', Health: '' };
  assert.deepEqual(parseRunning(`${JSON.stringify(one)}\n${JSON.stringify(two)}\n`), [one, two]);
  assert.deepEqual(parseRunning(JSON.stringify([one, two])), [one, two]);
  assert.deepEqual(parseRunning(''), []);
});

void test('/etc/os-release is read with and without quotes', () => {
  const release = parseOsRelease(
    'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
  );
  assert.equal(release.get('ID'), 'debian');
  assert.equal(release.get('VERSION_ID'), '12');
});
