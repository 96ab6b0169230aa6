import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { performerOf } from '../../deployer/performer.ts';
import { appendHistory, readHistory, type HistoryEntry } from '../../deployer/store/history.ts';
import { KEPT_REPORTS, readReport, writeReport, type Report } from '../../deployer/store/report.ts';
import { entryLines, fullLines, phases } from '../../deployer/ui/history-lines.ts';

const ID = `sha256:${'3471c8cc5c12'.padEnd(64, '0')}`;
const entry: HistoryEntry = {
  version: 1,
  at: '2026-11-21T01:23:05.120Z',
  command: 'deploy',
  release: 'r2',
  image: 'app:v2',
  imageId: ID,
  digest: null,
  revision: '0123456789abcdef',
  by: 'ops@host',
  from: 'r1',
  fromImage: 'app:v1',
  fromImageId: null,
  outcome: 'done',
  ms: 1400,
  servingMs: 700,
  steps: [
    { id: 'pull', ms: 10 },
    { id: 'create', ms: 100 },
    { id: 'standby', ms: 400 },
    { id: 'admit', ms: 15 },
    { id: 'promote', ms: 5 },
    { id: 'drain', ms: 2 },
    { id: 'retire:app-1', ms: 98 },
  ],
  probe: { sent: 35, failed: 0, slowestMs: 59, releases: {}, failures: [] },
  error: null,
  report: null,
};
const { version: _, steps: __, error: ___, report: ____, ...common } = entry;
const report: Report = {
  ...common,
  version: 1,
  type: 'report',
  project: 'shop',
  exit: 0,
  plan: null,
  steps: [
    { id: 'create', title: 'create a container', status: 'done', ms: 100 },
    {
      id: 'drain',
      title: 'drain r1',
      status: 'done',
      ms: 2,
      detail: '3 requests answered while leaving, 0 cut',
    },
  ],
  notices: [],
  error: null,
};

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tasuki-report-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

describe('the report of a run', () => {
  it('is one JSON document with a version, in a file of its own that only its owner reaches', async () => {
    const path = await writeReport(dir, report);
    assert.equal(path, join(dir, 'reports/r2-20261121T012305120Z.json'));
    assert.deepEqual(JSON.parse(await readFile(path, 'utf8')), report);
    assert.deepEqual(await readReport(path), report);
    assert.equal((await stat(dirname(path))).mode & 0o777, 0o700);
    assert.deepEqual(await readdir(dirname(path)), [basename(path)], 'no temporary file is left');
  });

  it('is kept until a hundred newer ones are there, however old its release is', async () => {
    const at = (n: number): string => new Date(Date.parse(entry.at) + n * 1000).toISOString();
    const oldest = await writeReport(dir, { ...report, release: 'r9', at: at(0) });
    for (let n = 1; n <= KEPT_REPORTS; n++)
      await writeReport(dir, { ...report, release: n % 2 ? 'initial' : '20261121T012301-7f3a', at: at(n) });
    const names = await readdir(dirname(oldest));
    assert.equal(names.length, KEPT_REPORTS);
    assert.ok(!names.includes(basename(oldest)));
  });

  it('that is torn, gone, or of a later version is none', async () => {
    const path = await writeReport(dir, report);
    await writeFile(path, JSON.stringify({ ...report, version: 2 }));
    assert.equal(await readReport(path), null);
    await writeFile(path, '{"version":1');
    assert.equal(await readReport(path), null);
    assert.equal(await readReport(join(dir, 'none.json')), null);
  });
});

describe('the history of several versions', () => {
  it('gives lines of an older one with nulls for what they do not know, and leaves out what is no entry', async () => {
    const { digest, revision, fromImageId, report: path, ...older } = entry;
    assert.deepEqual([digest, fromImageId, path], [null, null, null]);
    const lines = [JSON.stringify(older), 'null', '3', '{"version":1}', '{"version":1,"at"'];
    await writeFile(join(dir, 'history.jsonl'), lines.join('\n'));
    await appendHistory(dir, entry);
    assert.deepEqual(await readHistory(dir), [{ ...entry, revision: null }, entry]);
    assert.ok(revision);
  });
});

describe('a run in words', () => {
  it('has the time of each of its parts', () => {
    assert.deepEqual(phases(entry.steps), [
      { name: 'prepare', ms: 10 },
      { name: 'boot', ms: 500 },
      { name: 'switch', ms: 20 },
      { name: 'after it', ms: 100 },
    ]);
    assert.deepEqual(phases([{ id: 'admit', ms: 3 }]), [{ name: 'switch', ms: 3 }]);
    assert.deepEqual(phases([]), []);
  });

  it('says who, when, which image and revision, how long, how many requests, and how it ended', () => {
    assert.deepEqual(entryLines(entry), [
      '2026-11-21T01:23:05.120Z  deploy    done         r2  app:v2 (3471c8cc5c12, revision 0123456789ab)  by ops@host',
      '    serving after 700 ms, done in 1.4 s (prepare 10 ms, boot 500 ms, switch 20 ms, after it 100 ms); sent 35, failed 0, slowest 59 ms',
    ]);
    const bare = {
      ...entry,
      imageId: null,
      revision: null,
      servingMs: null,
      steps: [],
      probe: null,
      error: 'no',
    };
    assert.deepEqual(
      entryLines(bare).map((line) => line.trim().replace(/^\S+Z /, '')),
      [' deploy    done         r2  app:v2  by ops@host', 'done in 1.4 s; no'],
    );
  });

  it('in full has every step with what it said; without its report, what the history knows', () => {
    const full = fullLines({ ...entry, report: '/state/r2.json' }, report).join('\n');
    assert.match(full, /drain r1 \(2 ms\): 3 requests answered while leaving, 0 cut/);
    assert.match(full, /report: {2}\/state\/r2\.json/);
    const error = { code: 'X', what: 'it broke', next: 'mend it', evidence: ['last words'] };
    assert.match(
      fullLines(entry, { ...report, error }).join('\n'),
      /error: it broke\n {2}\| last words\n {2}next: {2}mend/,
    );
    const old = fullLines({ ...entry, report: '/gone.json' }, null).join('\n');
    assert.match(old, /\+ standby \(400 ms\)[^]*its report is not kept any more: \/gone\.json/);
  });
});

describe('who does it', () => {
  it('is what TASUKI_PERFORMER says, on one line, else the user of this machine', () => {
    assert.equal(performerOf({ TASUKI_PERFORMER: ' ci job\n7 ' }), 'ci job 7');
    assert.match(performerOf({}), /^\S+@\S+$/);
    assert.equal(performerOf({ TASUKI_PERFORMER: 'x'.repeat(500) }).length, 100);
  });
});
