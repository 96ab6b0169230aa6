import type { Queue } from 'bullmq';

const CLOCK = 'race-clock';

/**
 * Makes the race clock tick as `pattern` (cron, UTC) says, or not at all. Every worker calls this when it boots; there is one
 * schedule all the same, and it is touched only where it differs: to set it anew takes away a tick that is due this moment.
 */
export async function scheduleClock(race: Queue, pattern: string | undefined): Promise<void> {
  const there = await race.getJobScheduler(CLOCK);
  if (!pattern) {
    if (there) await race.removeJobScheduler(CLOCK);
  } else if (there?.pattern !== pattern) {
    await race.upsertJobScheduler(
      CLOCK,
      { pattern, tz: 'UTC' },
      { name: 'tick', opts: race.defaultJobOptions },
    );
  }
}
