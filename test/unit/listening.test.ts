import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { parseListeners, whyNot } from '../../deployer/engine/listening.ts';

describe('why nobody reaches a port of a container', () => {
  it('is known from the kernel: what listens, on which address; not who is connected, nor the name server of Docker', () => {
    const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000
   1: 0B00007F:9C4F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   2: 020012AC:0FA0 030012AC:D431 01 00000000:00000000 00:00000000 00000000  1000

   0: 00000000000000000000000000000000:0FA0 00000000000000000000000000000000:0000 0A 00000000:00000000
   1: 00000000000000000000000001000000:0FA1 00000000000000000000000000000000:0000 0A 00000000:00000000`;
    assert.deepEqual(parseListeners(text), [
      { host: '127.0.0.1', port: 3000 },
      { host: '::', port: 4000 },
      { host: '::1', port: 4001 },
    ]);
  });

  it('is read from the kernel of this machine as it writes it', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const found = parseListeners(await readFile('/proc/self/net/tcp', 'utf8'));
    server.close();
    assert.ok(found.some((one) => one.port === port && one.host === '127.0.0.1'));
  });

  it('says what to change: its own loopback, another port, nothing yet', () => {
    const loopback = [{ host: '127.0.0.1', port: 3000 }];
    assert.match(
      whyNot(loopback, 3000, 'proxy') ?? '',
      /listens on 127\.0\.0\.1:3000, its own loopback.*0\.0\.0\.0/,
    );
    assert.match(
      whyNot([{ host: '0.0.0.0', port: 4000 }], 3000, 'front') ?? '',
      /listens on port 4000, and the proxy asks port 3000: correct APP_ADDRESS of services\.front/,
    );
    assert.match(whyNot([], 3000, 'proxy') ?? '', /nothing in it listens on a port yet/);
    assert.equal(whyNot([...loopback, { host: '::', port: 3000 }], 3000, 'proxy'), null);
  });
});
