import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { chooseOrigin, h2oBase, h2oImage, type ImageName, images } from '../../setup/images.ts';
import { planStandIns, proxyVariables } from '../../setup/stand-ins.ts';

const root = new URL('../../', import.meta.url);

void test('an image that is present is neither pulled nor built', () => {
  assert.equal(chooseOrigin({ present: true, pulled: 'not tried' }), 'present');
  assert.equal(chooseOrigin({ present: true, pulled: 'failed' }), 'present');
});

void test('a missing image is pulled first, and only built when the pull failed', () => {
  assert.equal(chooseOrigin({ present: false, pulled: 'not tried' }), 'pull');
  assert.equal(chooseOrigin({ present: false, pulled: 'failed' }), 'stand-in');
});

void test('all stand-ins together need two bases', () => {
  const plan = planStandIns(images, new Set());
  assert.deepEqual(
    plan.bases.map(({ suite }) => suite),
    ['trixie', 'sid'],
  );
  assert.deepEqual(
    plan.builds.map(({ tag }) => tag),
    images.filter((image) => image !== 'debian:trixie-slim'),
  );
});

void test('a base that is present, pulled or built, is not built again', () => {
  const node: ImageName[] = ['node:26-trixie-slim'];
  assert.deepEqual(planStandIns(node, new Set(['debian:trixie-slim'])).bases, []);
  assert.deepEqual(
    planStandIns(node, new Set()).bases.map(({ tag }) => tag),
    ['debian:trixie-slim'],
  );
});

void test('every image that the stack and the Dockerfile name is provided', async () => {
  const [compose, dockerfile, nginx, h2o, h2oFile] = await Promise.all(
    [
      'compose.yaml',
      'Dockerfile',
      'proxy/nginx/service.yaml',
      'proxy/h2o/service.yaml',
      'proxy/h2o/Dockerfile',
    ].map(async (name) => readFile(new URL(name, root), 'utf8')),
  );
  const named = [...`${compose}${nginx}`.matchAll(/^\s+image:\s*([\w./-]+:[\w.-]+)\s*(?:#.*)?$/gm)];
  const bases = [...(dockerfile ?? '').matchAll(/^FROM\s+([\w./-]+:[\w.-]+)/gm)];
  const used = [...named, ...bases].map((match) => match[1] ?? '');
  assert.ok(used.length >= 5, `found only ${used.join(', ')}`);
  for (const image of used) assert.ok(images.includes(image as ImageName), `${image} is not set up`);
  assert.match(h2o ?? '', new RegExp(`image: ${h2oImage}$`, 'm'));
  assert.match(h2oFile ?? '', new RegExp(`^FROM ${h2oBase}$`, 'm'));
});

void test("h2o's image has a base of its own, which no other start builds", () => {
  assert.deepEqual(planStandIns([h2oBase], new Set()).bases, [{ suite: 'bookworm', tag: h2oBase }]);
  const all = planStandIns(images, new Set());
  assert.ok(![...all.bases, ...all.builds].some(({ tag }) => tag === h2oBase));
});

void test('proxy settings reach the builds by name, and only those that are set', () => {
  assert.deepEqual(proxyVariables({ https_proxy: 'http://proxy.invalid:3128', HTTP_PROXY: '' }), [
    'https_proxy',
  ]);
});
