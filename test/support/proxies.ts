import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SetupError } from '../../setup/errors.ts';
import { h2oBase, h2oImage } from '../../setup/images.ts';
import { buildH2o, buildStandIns } from '../../setup/stand-ins.ts';

/** The proxies that keep the contract of proxy/README.md, each by the name that PROXY has. */
export const PROXIES = ['nginx', 'h2o'] as const;
export type ProxyName = (typeof PROXIES)[number];

/** What one of them can and the other cannot: the table of proxy/README.md. The tests hold it true in both columns. */
export const CAN = {
  nginx: {
    /** Tell the app, the client and the log an id that it made, and put it on its own answers. */
    makeIds: true,
    /** Set X-Real-IP, X-Forwarded-Host and Forwarded. */
    tellTheHost: true,
    /** Send a request again that is safe. */
    sendAgain: true,
    /** Answer for a strange Host, a broken path, or somebody who came to the TLS port without TLS. */
    mend: true,
    /** Refuse ranges and If-Match of static files. */
    sendWhole: true,
  },
  h2o: { makeIds: false, tellTheHost: false, sendAgain: false, mend: false, sendWhole: false },
} as const satisfies Record<ProxyName, Record<string, boolean>>;

let provided: Promise<void> | undefined;

/** Builds what the proxy needs that no registry has; fast once the engine has it in its cache. */
export async function provideProxy(proxy: ProxyName): Promise<void> {
  if (proxy === 'h2o') await (provided ??= provideH2o());
}

async function provideH2o(): Promise<void> {
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const context = { root, env: process.env, signal: new AbortController().signal };
  const output = { announce: () => {}, progress: () => {} };
  try {
    await buildH2o(h2oImage, context, output);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    await buildStandIns([h2oBase], context, output); // its base is neither here nor at a registry
    await buildH2o(h2oImage, context, output);
  }
}
