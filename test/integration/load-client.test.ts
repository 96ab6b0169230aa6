import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readLedger } from '../support/ledger.ts';
import { assertLoad, judge, startLoad } from '../support/load/index.ts';
import type { Judgement, LoadReport } from '../support/load/index.ts';
import type { StartOptions } from '../support/load/index.ts';
import { ledgerFile, sqliteQuery, startTarget } from '../support/load/target/index.ts';
import type { TargetFacts, TargetOptions } from '../support/load/target/main.ts';

interface Seen {
  report: LoadReport;
  facts: TargetFacts;
  judgement: Judgement;
}

const KEPT = { keepAlive: 8, fresh: 0 };
const KEPT_SOCKET = { keepAlive: 8, fresh: 0, keepAliveClient: 'socket' } as const;
const FRESH = { keepAlive: 0, fresh: 8 };

/** Loads a server with the given faults until `requests` were sent, and compares with its ledger. */
async function run(
  faults: Partial<TargetOptions>,
  load: Partial<StartOptions>,
  requests = 2000,
): Promise<Seen> {
  const ledger = ledgerFile();
  await using target = await startTarget({ ledger, ...faults });
  await using client = await startLoad({ target: target.url, ...load });
  await client.until(({ sent }) => sent >= requests, 30_000);
  const report = await client.stop();
  using query = sqliteQuery(ledger);
  return { report, facts: await target.facts(), judgement: judge(report, await readLedger(query, report)) };
}

for (const [name, client] of Object.entries({ undici: KEPT, socket: KEPT_SOCKET, fresh: FRESH })) {
  void test(`a healthy server fails nothing and executes every update once (${name})`, async () => {
    const { report, facts, judgement } = await run({}, client);
    assertLoad(report, { atLeast: 2000, updates: 500 });
    assert.equal(judgement.ok, true, judgement.summary);
    assert.equal(report.sent, facts.requests);
    assert.equal(facts.connections, name === 'fresh' ? report.sent : 8);
    assert.equal(report.byRelease.target?.answered, report.sent);
  });

  void test(`each request whose connection is destroyed is reported, and no other (${name})`, async () => {
    const { report, facts, judgement } = await run({ destroyRequest: 50 }, client);
    assert.ok(facts.faults >= 30, `${facts.faults} faults`);
    assert.equal(report.failed, facts.faults, judgement.summary);
    assert.equal(report.sent, facts.requests, 'nothing is sent twice');
    assert.equal(judgement.ok, false);
  });

  for (const chunked of [false, true]) {
    void test(`each truncated response is reported (${name}, ${chunked ? 'chunks' : 'length'})`, async () => {
      const { report, facts } = await run({ truncate: 50, chunked }, client);
      assert.ok(facts.faults >= 30, `${facts.faults} faults`);
      assert.deepEqual(report.byError, { truncated: facts.faults });
    });
  }

  void test(`an answer with the id of another request is reported (${name})`, async () => {
    const { report, facts } = await run({ mixUp: 50 }, client);
    assert.deepEqual(report.byError, { 'wrong-id': facts.faults });
  });

  void test(`a response that nobody asked for is reported (${name})`, async () => {
    // Rare enough that no second one is lost with the connection of the first.
    const { report, judgement } = await run({ repeat: 500 }, client);
    assert.ok(report.extraResponses + report.failed > 0, judgement.summary);
    assert.equal(judgement.ok, false);
  });
}

void test('each new connection that is destroyed when accepted is reported, and no other', async () => {
  const { report, facts, judgement } = await run({ destroyConnection: 50 }, FRESH);
  assert.ok(facts.faults >= 30, `${facts.faults} faults`);
  assert.equal(report.failed, facts.faults, judgement.summary);
  assert.equal(report.byConnection.fresh?.failed, facts.faults);
});

void test('an update that is executed twice is reported by the ledger', async () => {
  const { report, facts, judgement } = await run({ twice: 50 }, { ...KEPT, fresh: 2 });
  assert.equal(report.failed, 0);
  assert.ok(facts.faults > 0);
  assert.match(judgement.summary, new RegExp(`duplicated ${facts.faults} `));
  assert.equal(judgement.ok, false);
});

void test('an update that is acknowledged and not executed is reported by the ledger', async () => {
  const { report, facts, judgement } = await run({ forget: 50 }, { ...KEPT, fresh: 2 });
  assert.equal(report.failed, 0);
  assert.ok(facts.faults > 0);
  assert.match(judgement.summary, new RegExp(`missing ${facts.faults} `));
  assert.equal(judgement.ok, false);
});

const SLOW = { keepAlive: 1, fresh: 1, slow: 6, slowMs: 300 };

void test('slow uploads and slow responses succeed on kept and on new connections', async () => {
  const ledger = ledgerFile();
  await using target = await startTarget({ ledger });
  await using client = await startLoad({ target: target.url, ...SLOW, mode: { rate: 50 } });
  await client.until(({ answered }) => answered >= 80, 30_000);
  const report = await client.stop();
  for (const kind of ['slow-echo', 'slow-update', 'slow-response'])
    assert.ok(report.byKind[kind]!.sent > 2, kind);
  using query = sqliteQuery(ledger);
  const judgement = judge(report, await readLedger(query, report));
  assert.equal(judgement.ok, true, judgement.summary);
});

void test('a byte that is lost from a slow upload is reported', async () => {
  const load = { ...SLOW, mode: { rate: 50 }, slowMix: { 'slow-echo': 1 } };
  const { report, facts } = await run({ mangle: 2 }, load, 60);
  assert.ok(facts.faults > 2);
  assert.deepEqual(report.byError, { 'wrong-content': facts.faults });
});

void test('a request without an answer is reported at its deadline', async () => {
  const load = { ...KEPT, mode: { rate: 50 }, paths: { home: '/?ms=60000' }, mix: { home: 1, echo: 4 } };
  const { report } = await run({}, { ...load, timeoutMs: 500 } as Partial<StartOptions>, 40);
  assert.deepEqual(Object.keys(report.byError), ['timeout']);
});

void test('an open loop keeps its rate, and counts the arrivals it had no connection for', async () => {
  const { report } = await run(
    {},
    { ...KEPT, keepAlive: 1, mode: { rate: 500 }, freshShare: 0, paths: { home: '/?ms=20' } as never },
    100,
  );
  assert.ok(report.skipped > 0);
  assert.equal(report.failed, 0);
});

void test('a refused connection is reported', async () => {
  const ledger = ledgerFile();
  const target = await startTarget({ ledger });
  await target.close();
  await using client = await startLoad({ target: target.url, keepAlive: 2, fresh: 2 });
  await client.until(({ failed }) => failed >= 20, 30_000);
  const report = await client.stop();
  assert.deepEqual(report.byError, { ECONNREFUSED: report.sent });
  assert.throws(() => assertLoad(report, { atLeast: 1 }), /not one of \d+ requests was answered/);
});

void test('marks divide the report into intervals', async () => {
  await using target = await startTarget({ ledger: ledgerFile() });
  await using client = await startLoad({ target: target.url, ...KEPT });
  await client.until(({ sent }) => sent >= 500, 30_000);
  await client.mark('handover 1');
  const { sent } = await client.counters();
  await client.until((now) => now.sent >= sent + 500, 30_000);
  const { intervals, sent: total } = await client.stop();
  assert.deepEqual(
    intervals.map(({ label }) => label),
    ['start', 'handover 1'],
  );
  assert.ok(intervals.every((interval) => interval.sent >= 500 && interval.latency.max > 0));
  assert.equal(intervals[0]!.sent + intervals[1]!.sent, total);
});

void test('the client refuses to load an address that is not of this machine', async () => {
  await assert.rejects(startLoad({ target: 'http://192.0.2.1:80' }), /not an address of this machine/);
});
