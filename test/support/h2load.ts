import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { execa } from 'execa';
import { docker, ROOT } from './containers.ts';

const IMAGE = 'tasuki-test:h2load';
const BUILD_MS = 300_000;

export interface H2Load {
  started: number;
  succeeded: number;
  errored: number;
  timeout: number;
  /** Answered with another status than 2xx. */
  notOk: number;
  line: string;
}

/**
 * h2load (Debian's nghttp2-client): HTTP/2 with TLS on kept connections, one request at a time on each. It does not come again on a
 * connection that was told to go away, nor send again what that refused unread.
 */
export function h2load(
  url: string,
  { connections, seconds }: { connections: number; seconds: number },
): { begun: Promise<void>; ended: Promise<H2Load> } {
  const begun = Promise.withResolvers<void>();
  const run = async (): Promise<H2Load> => {
    await docker(['build', '-q', '-t', IMAGE, join(ROOT, 'test/fixtures/h2load')], BUILD_MS);
    const words = ['h2load', '-D', String(seconds), '-c', String(connections), '-m', '1', url];
    const child = execa('docker', ['run', '--rm', '--network', 'host', IMAGE, 'stdbuf', '-oL', ...words], {
      all: true,
      timeout: 60_000 + seconds * 1000,
    });
    let text = '';
    for await (const line of createInterface({ input: child.all })) {
      text += `${line}\n`;
      if (/Main benchmark duration is started/.test(line)) begun.resolve();
    }
    await child;
    return read(text);
  };
  const ended = run();
  ended.catch((error: unknown) => begun.reject(error as Error));
  return { begun: begun.promise, ended };
}

function read(text: string): H2Load {
  const [, started, succeeded, errored, timeout] =
    /^requests: \d+ total, (\d+) started, \d+ done, (\d+) succeeded, \d+ failed, (\d+) errored, (\d+) timeout$/m.exec(
      text,
    ) ?? [];
  const [, ...others] = /^status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx$/m.exec(text) ?? [];
  if (started === undefined || others.length !== 3) throw new Error(`h2load said: ${text}`);
  return {
    started: Number(started),
    succeeded: Number(succeeded),
    errored: Number(errored),
    timeout: Number(timeout),
    notOk: others.reduce((sum, count) => sum + Number(count), 0),
    line: /^requests: .*$/m.exec(text)?.[0] ?? '',
  };
}
