import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../support/containers.ts';
import { build } from '../web/peers.ts';

export const PEERS_IMAGE = 'tasuki-bench:ways-peers';
export const OWN_IMAGE = 'tasuki-bench:ways-own';

/** Builds what the rows run; cheap once the engine has it in its cache. The library must be built (`node build.ts`). */
export async function buildImages(): Promise<void> {
  await build(PEERS_IMAGE, join(import.meta.dirname, 'peers'), '--network', 'host');
  const context = await mkdtemp(join(tmpdir(), 'tasuki-ways-'));
  try {
    await cp(join(import.meta.dirname, 'own'), context, { recursive: true });
    await cp(join(ROOT, 'dist/handover'), join(context, 'handover'), { recursive: true });
    await build(OWN_IMAGE, context);
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}
