import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Proxy } from '../../deployer/proxy/observe.ts';
import { planProxy, planProxyTidy, type ProxyWish } from '../../deployer/proxy/plan.ts';
import { proxyServiceOf } from '../../deployer/proxy/service.ts';
import { readSockets } from '../../deployer/proxy/sockets.ts';
import { next, observed, PLAIN, words } from '../support/plans.ts';
import { makePlan } from '../../deployer/core/plan.ts';

const WISH: ProxyWish = { kind: 'proxy', handover: 'h1', image: 'nginx:1.31', pull: false, remember: false };

function proxy(name: string, more: Partial<Proxy> = {}): Proxy {
  const rest = { imageId: '', visible: true, running: true, status: 'running', listens: true };
  return { id: name, name, image: 'nginx:1.30', ...rest, ...more };
}
const LEAVING = { listens: false };
const CREATED = { running: false, listens: false, status: 'created' };

/** The plan of a handover in words. */
const said = (proxies: Proxy[], more: Partial<ProxyWish> = {}): string =>
  words({ ...WISH, ...more }, { ...observed('r1', [], []), proxies });

const PROVEN = `undone if anything fails
  create a proxy of nginx:1.31
  test its configuration
  rehearse beside the one that serves
  start it on the same ports
  see it answer on the public port`;

describe('the plan of a handover of the proxy', () => {
  it('proves the new one before it starts, and lets the old one leave only when the new one answers', () => {
    assert.equal(
      said([proxy('proxy-1')]),
      `${PROVEN}\nthe switch\n  let the old proxy leave the ports\nafter it\n  retire proxy-1`,
    );
  });

  it('writes another image down once the old one leaves, and pulls it first where it is not here', () => {
    const text = said([proxy('proxy-1')], { remember: true, pull: true });
    assert.match(text, /^undone if anything fails\n {2}pull image nginx:1\.31\n {2}create/);
    assert.match(text, /after it\n {2}write nginx:1\.31 to \.env\n {2}retire proxy-1$/);
  });

  it('has no switch where no proxy runs, and clears the one that has ended away', () => {
    assert.equal(said([]), PROVEN);
    const ended = proxy('proxy-1', { running: false, listens: false, status: 'exited' });
    assert.equal(said([ended]), `${PROVEN}\nafter it\n  retire proxy-1`);
  });

  it('first clears away what a handover killed before its switch has left: never the old one', () => {
    const test = proxy('shop-proxy-test-20261122T063358-2764', { visible: false, listens: false });
    const tidied =
      /^tidy up\n {2}retire shop-proxy-test\S*\n {2}retire proxy-2\nundone[^]*after it\n {2}retire proxy-1$/;
    assert.match(said([proxy('proxy-1'), test, proxy('proxy-2', CREATED)]), tidied);
    assert.match(said([proxy('proxy-1'), proxy('proxy-2')]), /^tidy up\n {2}retire proxy-2\nundone/);
  });

  it('first finishes one that was killed after its switch: the one that leaves goes, and its image is written down', () => {
    const state = [proxy('proxy-1', LEAVING), proxy('proxy-2', { image: 'nginx:1.31' })];
    assert.match(
      said(state),
      /^tidy up\n {2}write nginx:1\.31 to \.env\n {2}retire proxy-1\nundone[^]*\n {2}retire proxy-2$/,
    );
  });

  it('is finished by the next deploy of the app too, and takes nothing of the app along', () => {
    const state = { ...observed('r1', [], []), proxies: [proxy('proxy-1', LEAVING), proxy('proxy-2')] };
    assert.match(words(next, state), /^tidy up\n {2}retire proxy-1\nundone/);
    assert.deepEqual(makePlan(WISH, observed('r1', [], []), PLAIN).watch, []);
  });

  it('ends with one proxy, whatever was left, and no step before the switch takes the last that listens', () => {
    const kinds: Partial<Proxy>[] = [{}, LEAVING, CREATED, { visible: false, listens: false }];
    const states = kinds.flatMap((a) => kinds.flatMap((b) => kinds.map((c) => [a, b, c])));
    for (const state of states) {
      const proxies = state.map((more, n) => proxy(`p${n}`, more));
      const retired = planProxyTidy(proxies).flatMap((step) =>
        step.do === 'proxy-retire' ? [step.target] : [],
      );
      const kept = proxies.filter(({ id }) => !retired.includes(id));
      const listening = proxies.filter(({ listens }) => listens).length;
      assert.equal(
        kept.filter(({ listens }) => listens).length,
        Math.min(1, listening),
        JSON.stringify(state),
      );
      assert.deepEqual(planProxyTidy(kept), [], 'tidying once is enough');
      const { reversible, forward } = planProxy(WISH, proxies);
      assert.ok(!reversible.some((step) => step.do === 'proxy-retire'));
      const gone = forward.flatMap((step) => (step.do === 'proxy-retire' ? [step.target] : []));
      assert.deepEqual(
        gone,
        kept.map(({ id }) => id),
        'all that were there before',
      );
    }
  });
});

describe('the image of the proxy', () => {
  it('is what Compose would use, and chosen by the variable of the file', () => {
    const of = (image: unknown, values = {}) => proxyServiceOf({ image }, values);
    const chosen = { image: 'nginx:1.30', variable: 'PROXY_IMAGE' };
    assert.deepEqual(of('${PROXY_IMAGE:-nginx:1.30}'), chosen);
    assert.deepEqual(of('${PROXY_IMAGE-nginx:1.30}', { PROXY_IMAGE: 'a:1' }), { ...chosen, image: 'a:1' });
    assert.deepEqual(of('$PROXY_IMAGE', { PROXY_IMAGE: 'a:1' }), { ...chosen, image: 'a:1' });
    assert.deepEqual(of('nginx:1.30'), { image: 'nginx:1.30', variable: null });
    assert.deepEqual(of('nginx:${TAG:-1.30}'), { image: 'nginx:1.30', variable: null });
    assert.equal(of(undefined), null);
    assert.equal(proxyServiceOf(undefined, {}), null);
  });
});

describe('the sockets of a container that shares its namespace', () => {
  const line = (local: string, state: string, inode: number): string =>
    `   0: 0100007F:${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000   101        0 ${inode} 1 0000 100 0 0 10 0\n`;
  const own = (...inodes: number[]): string =>
    inodes.map((n) => `lrwx------ 1 u u 64 d 9 -> socket:[${n}]\n`).join('');

  it('are its own alone: what another one listens on is not its', () => {
    const table = line('0050', '0A', 1) + line('0050', '0A', 2);
    assert.deepEqual(readSockets(table + own(2)), { listens: true, open: 0 });
    assert.deepEqual(readSockets(table + own(7)), { listens: false, open: 0 });
  });

  it('count connections that it has accepted, not those that it has made, nor those that are over', () => {
    const accepted = line('0050', '01', 3) + line('0050', '08', 4);
    const table =
      line('0050', '0A', 1) +
      accepted +
      line('C350', '01', 5) +
      line('0050', '06', 0) +
      line('0050', '01', 6);
    assert.deepEqual(readSockets(table + own(3, 4, 5)), { listens: false, open: 2 });
  });
});
