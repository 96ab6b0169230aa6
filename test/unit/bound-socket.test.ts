import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { bindSocket } from '../../app/handover/bound-socket.ts';

/** Listens on what it is sent, and tells each visitor who it is. */
const CHILD = `import net from 'node:net';
process.once('message', (name, socket) => {
  const server = net.createServer((visitor) => visitor.end(name));
  server.listen(socket, 100, () => process.send('listens'));
});`;

describe('a socket that is bound to be shared', () => {
  let dir: string;
  beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), 'tasuki-bound-'))));
  afterEach(async () => await rm(dir, { recursive: true, force: true }));

  const visit = async (path: string): Promise<string> => {
    const socket = net.connect(path).setEncoding('utf8');
    let said = '';
    socket.on('data', (text: string) => (said += text));
    await once(socket, 'close');
    return said;
  };

  it('does not listen itself, may be connected to by every user, and takes its name along', async () => {
    const path = join(dir, 'a.sock');
    const bound = bindSocket(path);
    assert.equal((await stat(path)).mode & 0o777, 0o666);
    await assert.rejects(visit(path), /ECONNREFUSED/);
    bound.close();
    assert.deepEqual(await readdir(dir), []);
  });

  it('is listened on by children, and keeps who waits for the next when one has gone', async () => {
    const [path, script] = [join(dir, 'a.sock'), join(dir, 'child.mjs')];
    await writeFile(script, CHILD);
    const bound = bindSocket(path);
    const begin = async (name: string) => {
      const child = fork(script);
      child.send(name, bound as unknown as net.Server);
      await once(child, 'message');
      return child;
    };
    const first = await begin('first');
    assert.equal(await visit(path), 'first');
    first.kill('SIGKILL');
    await once(first, 'exit');
    const waiting = visit(path);
    const second = await begin('second');
    assert.equal(await waiting, 'second');
    second.kill('SIGKILL');
    bound.close();
  });

  it('says by code why it cannot be', () => {
    const path = join(dir, 'a.sock');
    const bound = bindSocket(path);
    assert.throws(() => bindSocket(path), { code: 'EADDRINUSE' });
    assert.throws(() => bindSocket(join(dir, 'no/a.sock')), { code: /^(ENOENT|EACCES)$/ });
    bound.close();
  });
});
