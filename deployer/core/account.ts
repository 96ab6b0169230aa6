import { imageFacts, type ImageFacts } from '../engine/image-facts.ts';
import { EXIT } from '../errors.ts';
import type { Emit } from '../events.ts';
import type { ProbeCount } from '../probe.ts';
import { appendHistory, type HistoryEntry } from '../store/history.ts';
import { writeReport, type Report, type ReportStep } from '../store/report.ts';
import type { Context } from './context.ts';
import type { Ended } from './carry-out.ts';
import type { Desired, Plan } from './plan.ts';

/** What only the frame of the run knows. */
export interface Ending {
  command: string;
  release: string;
  image: string;
  desired: Desired;
  from: string | null;
  plan: Plan | null;
  result: Ended;
  /** Milliseconds since the start. */
  ms: number;
  servingMs: number | null;
  probe: ProbeCount;
}

/** Listens to a run, and writes down at its end what it was: a line of the history, and a report of all of it. */
export class Account {
  readonly #steps: ReportStep[] = [];
  readonly #notices: string[] = [];

  readonly note: Emit = (event) => {
    if (event.type === 'notice') this.#notices.push(event.text);
    if (event.type !== 'step' || event.status === 'start') return;
    const { type: _, ...step } = event;
    this.#steps.push(step);
  };

  /** Gives the path of the report. A report that cannot be written is a warning: the run itself is what it is. */
  async write(folder: string, context: Context, ending: Ending): Promise<string | null> {
    const entry = await entryOf(context, ending);
    const { error } = ending.result;
    const { steps: _, ...common } = entry;
    const report: Report = {
      ...common,
      version: 1,
      type: 'report',
      project: context.config.project,
      exit: error?.exit ?? EXIT.done,
      plan: ending.plan,
      steps: this.#steps,
      notices: this.#notices,
      error: error?.details ?? null,
    };
    const path = await writeReport(folder, report).catch((reason: Error) => {
      context.emit({ type: 'notice', level: 'warn', text: `no report was written: ${reason.message}` });
      return null;
    });
    await appendHistory(folder, { ...entry, report: path });
    return path;
  }
}

async function entryOf(context: Context, ending: Ending): Promise<Omit<HistoryEntry, 'report'>> {
  const { engine, observed, next, performer } = context;
  const { command, release, image, desired, from, result, ms, servingMs, probe } = ending;
  const before =
    desired.kind === 'proxy'
      ? observed.proxies.find((one) => one.visible && one.listens)
      : observed.instances.find((one) => one.release === from);
  // By the container: the name may mean another image by now.
  const found = desired.kind === 'rollback' ? desired.to : 'held' in desired ? desired.held : next;
  const id = found?.imageId;
  const facts: Partial<ImageFacts> = (await imageFacts(engine, id || image).catch(() => null)) ?? {};
  return {
    version: 1,
    at: new Date().toISOString(),
    command,
    release,
    image,
    imageId: id || (facts.id ?? null),
    digest: facts.digest ?? null,
    revision: facts.revision ?? null,
    by: performer,
    from,
    fromImage: before?.image ?? null,
    fromImageId: before?.imageId ?? null,
    outcome: result.outcome,
    ms,
    servingMs,
    steps: result.steps,
    probe,
    error: result.error?.details.what ?? null,
  };
}
