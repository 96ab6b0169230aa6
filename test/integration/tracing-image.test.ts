import assert from 'node:assert/strict';
import { test } from 'node:test';
import { execa } from 'execa';
import { APP_IMAGE, buildAppImage } from '../support/containers.ts';

/** Runs in the image: sends a span to itself. */
const TRACES = `
  import { readdirSync, readFileSync } from 'node:fs';
  import http from 'node:http';
  const files = readdirSync('.').filter((name) => name.endsWith('.js'));
  const file = files.find((name) => name.startsWith('chunk-otlp-'));
  const importers = files.filter((name) => readFileSync(name, 'utf8').includes('from "./' + file + '"'));
  const bodies = [];
  const server = http.createServer(async (req, res) => {
    bodies.push(String(Buffer.concat(await req.toArray())));
    res.end('{}');
  });
  server.listen(0, '127.0.0.1', async () => {
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = 'http://127.0.0.1:' + server.address().port;
    const { createTracing } = await import('/app/' + file);
    const log = { info() {}, warn: (...words) => console.error(...words) };
    const tracing = createTracing({ sampler: 'always_on', ratio: 1 }, { role: 'web', release: 'v1' }, log);
    tracing.begin('request', {}).end({ name: 'GET /', attributes: {} });
    await tracing.close();
    process.stdout.write(JSON.stringify({ importers, bodies }), () => process.exit(0));
  });`;

void test('what sends traces is a file that nothing loads by itself, and it works as it was built', async () => {
  await buildAppImage();
  const command = ['run', '--rm', '--entrypoint', 'node', APP_IMAGE, '--input-type=module', '--eval', TRACES];
  const { stdout } = await execa('docker', command, { timeout: 30_000 });
  const { importers, bodies } = JSON.parse(stdout) as { importers: string[]; bodies: string[] };
  assert.deepEqual(importers, []);
  assert.match(bodies.join(), /"name":"GET \/"/);
});
