import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type Docker from 'dockerode';
import { connectDirect } from '../../deployer/engine/direct.ts';
import type { Engine } from '../../deployer/engine/docker.ts';
import { ControlSession } from '../../deployer/engine/session.ts';

/** A container whose process is this one: /proc/PID/root is then this file system. */
function container(
  labels: Record<string, string>,
  more: { id?: string; env?: string[] } = {},
): Docker.ContainerInspectInfo {
  const ours = readFileSync('/proc/self/cgroup', 'utf8').split('\n')[0];
  return {
    Id: more.id ?? ours,
    State: { Pid: process.pid },
    Config: { Labels: labels, Env: more.env ?? [] },
  } as unknown as Docker.ContainerInspectInfo;
}

void describe('the control socket of an instance', () => {
  let dir: string;
  let path: string;
  let server: net.Server;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tasuki-direct-'));
    path = join(dir, 'control.sock');
    server = net.createServer((socket) => socket.pipe(socket));
    server.listen(path);
    await once(server, 'listening');
  });
  after(async () => {
    server.close();
    await rm(dir, { recursive: true });
  });

  void test('is joined through the process of the container that names it', async () => {
    const channel = await connectDirect(container({ 'tasuki.control': path }), AbortSignal.timeout(5000));
    assert.ok(channel);
    channel.stream.write('hello\n');
    const [answer] = (await once(channel.stdout, 'data')) as [Buffer];
    assert.equal(answer.toString(), 'hello\n');
    channel.stream.destroy();
  });

  void test('is waited for until the instance has opened it', async () => {
    const late = join(dir, 'late.sock');
    const joining = connectDirect(container({ 'tasuki.control': late }), AbortSignal.timeout(5000));
    const second = net.createServer();
    second.listen(late);
    const channel = await joining;
    assert.ok(channel);
    channel.stream.destroy();
    second.close();
  });

  void test('is where CONTROL_SOCKET moved it', async () => {
    const info = container({ 'tasuki.control': '/nowhere' }, { env: [`CONTROL_SOCKET=${path}`] });
    const channel = await connectDirect(info, AbortSignal.timeout(5000));
    assert.ok(channel);
    channel.stream.destroy();
  });

  void test('is left to the exec when the image does not name it', async () => {
    assert.equal(await connectDirect(container({}), AbortSignal.timeout(5000)), null);
    assert.equal(await connectDirect(null, AbortSignal.timeout(5000)), null);
  });

  void test('is left to the exec when that process number is not the container here', async () => {
    const info = container({ 'tasuki.control': path }, { id: 'another-container' });
    assert.equal(await connectDirect(info, AbortSignal.timeout(5000)), null);
  });

  void test('is never followed through a link, which would lead out of the container', async () => {
    await symlink(path, join(dir, 'link.sock'));
    await symlink(dir, join(dir, 'folder'));
    for (const led of ['link.sock', 'folder/control.sock', '../control.sock'].map((to) => `${dir}/${to}`)) {
      const info = container({ 'tasuki.control': led });
      assert.equal(await connectDirect(info, AbortSignal.timeout(5000)), null, led);
    }
  });

  void test('is given up when the deploy is', async () => {
    const info = container({ 'tasuki.control': join(dir, 'never.sock') });
    assert.equal(await connectDirect(info, AbortSignal.timeout(50)), null);
  });

  void test('ends its session with a refusal when the instance dies in the middle of a word', async () => {
    const dying = join(dir, 'dying.sock');
    // Closed with something unread in it, a unix socket is reset.
    const mortal = net.createServer({ pauseOnConnect: true }, (socket) =>
      setTimeout(() => socket.destroy(), 50),
    );
    mortal.listen(dying);
    await once(mortal, 'listening');
    const engine = { inspect: async () => container({ 'tasuki.control': dying }) } as unknown as Engine;
    const session = await ControlSession.open(engine, 'id', 'app-1', ['ctl'], AbortSignal.timeout(5000));
    await assert.rejects(session.ask('state'), { code: 'SESSION_CLOSED' });
    mortal.close();
  });
});
