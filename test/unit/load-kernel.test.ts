import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelDiff, kernelLosses, parseNetstat } from '../support/load/kernel.ts';

const netstat = (overflows: number, drops: number, success: number, failure: number): string => `\
TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPMigrateReqSuccess TCPMigrateReqFailure
TcpExt: 0 ${overflows} ${drops} ${success} ${failure}
IpExt: InNoRoutes InTruncatedPkts
IpExt: 0 0
`;

void test('the counters are read by name from the TcpExt lines', () => {
  assert.deepEqual(parseNetstat(netstat(1, 2, 3, 4)), {
    ListenOverflows: 1,
    ListenDrops: 2,
    TCPMigrateReqSuccess: 3,
    TCPMigrateReqFailure: 4,
  });
});

void test('migrated connections are no loss; dropped ones are, each by its name', () => {
  const before = parseNetstat(netstat(5, 5, 5, 5));
  assert.deepEqual(kernelLosses(kernelDiff(before, parseNetstat(netstat(5, 5, 90, 5)))), []);
  assert.deepEqual(kernelLosses(kernelDiff(before, parseNetstat(netstat(6, 7, 5, 8)))), [
    'ListenOverflows +1',
    'ListenDrops +2',
    'TCPMigrateReqFailure +3',
  ]);
});

void test('a counter that the kernel does not have is an error, not a zero', () => {
  assert.throws(
    () => parseNetstat('TcpExt: ListenOverflows ListenDrops\nTcpExt: 0 0\n'),
    /no TCPMigrateReqSuccess/,
  );
  assert.throws(() => parseNetstat(''), /no TcpExt line/);
});
