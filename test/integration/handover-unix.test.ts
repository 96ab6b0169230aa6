import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { eventually } from '../support/containers.ts';
import { type Control, type HostInstance } from '../support/instance.ts';
import { UnixInstances } from '../support/unix-instances.ts';

describe('serve() on a unix socket', { timeout: 240_000 }, () => {
  const all = UnixInstances.ofSuite();
  const start = all.start.bind(all);
  /** One request to who is behind a name: the release that answers, or why none did. */
  function answering(path = all.name): Promise<string> {
    return new Promise((resolve) => {
      const req = http.get({ socketPath: path, agent: false }, (res) => {
        res.resume();
        res.on('end', () => resolve(String(res.headers['x-release'])));
      });
      req.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  }
  const standIn = (): Promise<string> => answering(join(all.dir, 'stand-in.sock'));
  const sockets = async (): Promise<string[]> =>
    (await readdir(all.dir)).filter((one) => one.startsWith('app.sock') || one.startsWith('stand-in'));

  /** r1 serves, r2 is in standby. */
  async function pair(): Promise<[HostInstance, HostInstance]> {
    const r1 = start('r1');
    await r1.until('serving');
    const r2 = start('r2');
    await r2.until('standby');
    return [r1, r2];
  }
  async function admitted(one: HostInstance): Promise<Control> {
    const control = await one.session();
    await control.ask('admit');
    return control;
  }
  /** Hands over for good. */
  async function promote(next: HostInstance, old: HostInstance): Promise<void> {
    const control = await admitted(next);
    await control.ask('promote');
    await old.until('parked');
    control.close();
  }
  /** r1 is parked, r2 serves and has lent the name, and the stand-in's place with it, to r3. */
  async function loan(): Promise<{ r2: HostInstance; r3: HostInstance; control: Control }> {
    const [r1, r2] = await pair();
    await promote(r2, r1);
    const r3 = start('r3');
    await r3.until('standby');
    const control = await admitted(r3);
    assert.equal(await standIn(), 'r2');
    return { r2, r3, control };
  }

  it('takes the name when it is admitted, and gives it back when the session ends before it was promoted', async () => {
    const [r1, r2] = await pair();
    assert.deepEqual((await r1.state()).listen, { path: all.name });
    assert.equal(await answering(), 'r1');
    const control = await admitted(r2);
    assert.equal(await answering(), 'r2');
    control.close();
    await r2.until('parked');
    assert.equal(await answering(), 'r1');
    assert.equal((await sockets()).length, 2, 'the name, and the one that r1 was bound to');
  });

  it('keeps the name once it is promoted, and leaves no other behind', async () => {
    const [r1, r2] = await pair();
    await promote(r2, r1);
    assert.equal(await answering(), 'r2');
    assert.equal(await standIn(), 'r1');
    await promote(r1, r2);
    assert.equal(await answering(), 'r1');
    const names = await sockets();
    assert.equal(names.length, 3, names.join(', '));
  });

  it('that is killed while it has the name on loan is stood in for at once by the one before, which takes the name again', async () => {
    const [r1, r2] = await pair();
    await promote(r2, r1); // r1 stands in now
    const r3 = start('r3');
    await r3.until('standby');
    await admitted(r3);
    assert.deepEqual([await answering(), await standIn()], ['r3', 'r2']);
    r3.process.kill('SIGKILL');
    await r3.ended();
    assert.equal(await standIn(), 'r2', 'the one that the record names, not the parked one');
    await eventually('r2 has taken the name', async () => (await answering()) === 'r2', 3000);
    await eventually('r1 stands in again', async () => (await standIn()) === 'r1', 3000);
    assert.match(r2.output, /nobody is behind \S+app\.sock any more/);
    assert.equal((await r2.state()).phase, 'serving');
  });

  it('has the name when it is promoted, also when the one before has been started again during the loan', async () => {
    const [r1, r2] = await pair();
    const control = await admitted(r2);
    r1.process.kill('SIGKILL');
    await r1.ended();
    const again = start('r1');
    await again.until('serving');
    assert.equal(await answering(), 'r1');
    await control.ask('promote');
    assert.equal(await answering(), 'r2');
    await again.until('parked');
    assert.equal(await answering(), 'r2');
    control.close();
  });

  it('leaves the stand-in where it is when the one before is dead', async () => {
    const [r1, r2] = await pair();
    await promote(r2, r1);
    const r3 = start('r3');
    await r3.until('standby');
    r2.process.kill('SIGKILL');
    await r2.ended();
    await eventually('nobody has the name', async () => (await answering()) === 'ECONNREFUSED');
    const control = await admitted(r3);
    assert.deepEqual([await answering(), await standIn()], ['r3', 'r1']);
    control.close();
    await r3.until('parked');
    assert.deepEqual([await answering(), await standIn()], ['ENOENT', 'r1']);
  });

  it('gives its place at the door back too when its loan ends', async () => {
    const { r3, control } = await loan();
    control.close();
    await r3.until('parked');
    assert.deepEqual([await answering(), await standIn()], ['r2', 'r1']);
  });

  it('gives the door back to the parked one also when the one before has died during the loan', async () => {
    const { r2, r3, control } = await loan();
    r2.process.kill('SIGKILL');
    await eventually('r2 and its children are gone', async () => (await standIn()) === 'ECONNREFUSED');
    control.close();
    await r3.until('parked');
    assert.equal(await standIn(), 'r1');
  });

  it('takes a name behind which nobody is any more when it boots', async () => {
    const first = start('r1');
    await first.until('serving');
    first.process.kill('SIGKILL');
    await first.ended();
    // Its children end a moment later.
    await eventually('nobody is behind it', async () => (await answering()) === 'ECONNREFUSED');
    await start('r1').until('serving');
    assert.equal(await answering(), 'r1');
  });

  it('takes the name away when it is stopped, so that the proxy goes to the stand-in', async () => {
    const one = start('r1');
    await one.until('serving');
    one.process.kill('SIGTERM');
    assert.equal(await one.ended(), 0);
    assert.equal(await answering(), 'ENOENT');
    assert.deepEqual(await sockets(), []);
  });

  it('leaves the name with another instance of its release', async () => {
    const first = start('r1');
    await first.until('serving');
    const second = start('r1');
    await second.until('serving');
    first.process.kill('SIGTERM');
    assert.equal(await first.ended(), 0);
    assert.equal(await answering(), 'r1');
    const third = start('r1');
    await third.until('serving');
    third.process.kill('SIGKILL');
    await third.ended();
    await eventually('the second has it again', async () => (await answering()) === 'r1', 3000);
  });

  it('lets connections wait while its only child is replaced after a crash', async () => {
    const one = start('r1', { WEB_CONCURRENCY: '1' });
    await one.until('serving');
    const crash = http.get({ socketPath: all.name, path: '/crash', agent: false });
    await new Promise((resolve) => crash.once('error', resolve));
    assert.equal(await answering(), 'r1');
    assert.equal((await one.state()).restarts, 1);
  });

  it('refuses a share of the connections, and a LISTEN that it does not understand', async () => {
    const [r1] = await pair();
    const control = await r1.session();
    await assert.rejects(control.ask('weigh', { sockets: 3 }), /NO_SHARES/);
    await control.ask('weigh', { sockets: 1 });
    const wrong = start('r3', { LISTEN: 'unix:app.sock' });
    assert.equal(await wrong.ended(), 1);
    assert.match(wrong.output, /LISTEN must be own, or like unix:\/run\/tasuki\/app\.sock/);
  });

  it('waits for the release that the record names before it leaves, so that somebody has the name', async () => {
    const r1 = start('r1');
    await r1.until('serving');
    const whole = { version: 1, serving: 'r2', known: ['r1'], at: new Date().toISOString() };
    await writeFile(join(all.dir, 'record.json'), JSON.stringify(whole));
    await eventually('it has read the record', async () => (await r1.state()).record?.serving === 'r2');
    assert.equal((await r1.state()).phase, 'serving');
    assert.equal(await answering(), 'r1');
    await start('r2').until('serving');
    await r1.until('parked');
    assert.equal(await answering(), 'r2');
  });
});
