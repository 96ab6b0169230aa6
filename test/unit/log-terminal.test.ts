import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify, stripVTControlCharacters as plain } from 'node:util';
import { readable } from '../../app/log-terminal.ts';

const WRITER = fileURLToPath(new URL('../fixtures/log-writer.ts', import.meta.url));

/** What a process that logs writes; at a terminal both of its outputs are one. */
async function written(atTerminal: boolean): Promise<{ text: string; loaded: string }> {
  const run = promisify(execFile);
  if (!atTerminal) {
    const { stdout, stderr } = await run(process.execPath, [WRITER]);
    return { text: stdout, loaded: stderr };
  }
  // nothing but these: CI, NO_COLOR, NODE_DISABLE_COLORS and others each turn colours off
  const env = { PATH: process.env.PATH, TERM: 'xterm' };
  const { stdout } = await run('script', ['-qec', `'${process.execPath}' '${WRITER}'`, '/dev/null'], { env });
  return { text: stdout, loaded: stdout };
}

void test('at a terminal the log is lines for a person', async () => {
  const { text, loaded } = await written(true);
  const lines = plain(text).split(/\r?\n/);
  assert.match(
    lines[0] ?? '',
    /^\d\d:\d\d:\d\d\.\d{3} INFO {2}request release=v1 status=200 parts\.db=1\.5$/,
  );
  assert.match(lines[1] ?? '', /^\d\d:\d\d:\d\d\.\d{3} ERROR request failed release=v1$/);
  assert.equal(lines[2], 'Error: no luck');
  assert.match(lines[3] ?? '', /^ {4}at /);
  assert.match(loaded, /log-terminal\.ts/);
  assert.notEqual(plain(text), text, 'in colours');
});

void test('elsewhere it is JSON, and what makes it readable is not loaded', async () => {
  const { text, loaded } = await written(false);
  const [first, second] = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual([first?.level, first?.msg, first?.release], ['info', 'request', 'v1']);
  assert.equal((second?.err as { message?: string } | undefined)?.message, 'no luck');
  assert.doesNotMatch(loaded, /log-terminal/);
  assert.match(loaded, /log\.ts/);
});

void test('what a client sent cannot steer the terminal', () => {
  const line = JSON.stringify({
    level: 'info',
    time: '',
    msg: 'a\u001b[2Jb',
    url: '/\u009b2J',
    err: { stack: 'x\u0007\ny' },
  });
  const text = plain(readable(line));
  assert.doesNotMatch(text.replaceAll('\n', ''), /\p{Cc}/u);
  assert.match(text, /a\\x1b\[2Jb/);
  assert.match(text, /x\\x07\ny\n$/);
});

void test('a line that is no JSON stays as it is, and values with spaces are quoted', () => {
  assert.equal(readable('no JSON\n'), 'no JSON\n');
  assert.match(
    plain(readable('{"level":"warn","time":"","msg":"m","reason":"a b","list":[1,2],"none":null}')),
    /reason="a b" list=\[1,2\] none=null\n$/,
  );
});
