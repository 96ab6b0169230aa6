import { createTwin } from '../engine/twin.ts';
import type { Context } from './context.ts';
import { about } from './evidence.ts';
import type { Of } from './plan.ts';
import { shareOfBoot } from './share.ts';

/** Makes a twin of the container that served, which waits warm and out of the sight of Compose. */
export async function park({ release, twinOf, keepMs }: Of<'park'>, context: Context): Promise<void> {
  const { engine, config, sessions, timeoutMs } = context;
  const info = await engine.inspect(twinOf);
  if (!info) throw new Error(`the container of ${release} is gone`);
  const name = `${config.project}-${config.settings.service}-parked-${release}`;
  await engine.removeByName(name); // of an interrupted run
  const until = keepMs === null ? null : new Date(Date.now() + keepMs);
  const id = await createTwin(engine, info, name, release, { parked: { until } });
  await engine.start(id);
  const restore = await shareOfBoot(context, id, false);
  try {
    await about(engine, { id, name }, async () => {
      const session = await sessions.with(id, name);
      await session.until((state) => state.phase === 'standby', timeoutMs);
    });
  } finally {
    await restore?.();
  }
}
