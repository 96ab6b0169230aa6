/** Counters of a network namespace that move when the kernel drops a connection, or hands one to another listener. */
const COUNTERS = ['ListenOverflows', 'ListenDrops', 'TCPMigrateReqSuccess', 'TCPMigrateReqFailure'] as const;
export type KernelCounters = Record<(typeof COUNTERS)[number], number>;

/** Reads the text of `/proc/net/netstat`, which has to come from inside the namespace in question. */
export function parseNetstat(text: string): KernelCounters {
  const lines = text.split('\n').filter((line) => line.startsWith('TcpExt:'));
  const names = lines[0]?.trim().split(/\s+/) ?? [];
  const values = lines[1]?.trim().split(/\s+/) ?? [];
  if (names.length < 2 || names.length !== values.length) {
    throw new Error('netstat: no TcpExt line, or names and values do not match');
  }
  const read = (name: string): number => {
    const value = Number(values[names.indexOf(name)]);
    // An absent counter must not pass for an unchanged one.
    if (!Number.isSafeInteger(value)) throw new Error(`netstat: no ${name} (Linux >= 5.14 has it)`);
    return value;
  };
  return Object.fromEntries(COUNTERS.map((name) => [name, read(name)])) as KernelCounters;
}

/** How far each counter moved. */
export function kernelDiff(before: KernelCounters, after: KernelCounters): KernelCounters {
  return Object.fromEntries(COUNTERS.map((name) => [name, after[name] - before[name]])) as KernelCounters;
}

/** The counters that may not move in a run without losses, and did; empty when all is well. */
export function kernelLosses(diff: KernelCounters): string[] {
  const harmless = 'TCPMigrateReqSuccess';
  return COUNTERS.filter((name) => name !== harmless && diff[name] !== 0).map(
    (name) => `${name} +${diff[name]}`,
  );
}
