import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Project } from './project.ts';
import { atRest, follow } from './steps.ts';

/** A deployer that is killed, and what the next one does about it. */

export interface Killed {
  release: string;
  /** The step that was reported last. */
  step: string;
  /** The switch may have been asked for. */
  asked: boolean;
  /** The switch had been reported. */
  switched: boolean;
  /** It was faster than the signal, and had come to its end. */
  ended: boolean;
}

/** Starts the command and kills it as soon as it has reported `count` steps done; with 0, at the start of the first. */
export async function killAfter(project: Project, args: string[], count: number): Promise<Killed> {
  const deploy = project.spawnDeploy([...args, '--json']);
  const killed = { release: '', step: '', asked: false, switched: false, ended: false };
  let done = 0;
  let struck = false;
  await follow(deploy, (event) => {
    if (event.type === 'begin') killed.release = event.release;
    if (event.type === 'end') killed.ended = true;
    if (event.type !== 'step') return;
    // From the end of `confirm` on the switch may have been asked for, also when the signal was meant for a step before.
    killed.asked ||= event.id === 'promote' || (event.id === 'confirm' && event.status === 'done');
    if (event.status === 'done') {
      done++;
      killed.switched ||= event.id === 'promote';
    }
    if (struck || done < count) return;
    struck = deploy.kill('SIGKILL');
    killed.step = event.id;
  });
  const { signal, stderr } = await deploy;
  assert.ok(struck, `the run never came to its step ${count}: ${stderr}`);
  if (!killed.ended) assert.equal(signal, 'SIGKILL');
  return killed;
}

/** The next deploy says what it found, and leaves one container that serves, one that is parked, and no lock. */
async function assertFinishedByNext(project: Project, image: string, { ended }: Killed): Promise<string> {
  const { events } = await project.deployOk('--image', image, '--json');
  const notices = events.filter((event) => event.type === 'notice').map(({ text }) => text);
  const told = notices.find((text) => text.includes('was killed'));
  // One that had come to its end may have given its lock back before the signal came.
  if (!ended) {
    assert.match(notices.join('\n'), /^took over the lock of \S+ \(pid \d+\), which is gone$/m);
    assert.match(told ?? '', /^the last run \(.*\) was killed (in|after|before)/, 'it must explain');
  }
  const { instances, record, lock, interruption } = await project.status();
  assert.deepEqual(
    instances.map((one) => `${one.visible ? 'visible' : 'hidden'} ${one.state?.phase}`).toSorted(),
    ['hidden standby', 'visible serving'],
    'one serves, one is parked',
  );
  assert.equal(instances.find((one) => one.visible)?.release, record?.serving);
  assert.deepEqual([lock, interruption], [null, null]);
  return told?.replace(/^.*was killed/, 'killed') ?? 'it had ended';
}

/** Kills `deploy <args>` after `count` steps, looks, and lets the next deploy, of `next`, finish. */
export async function survives(
  t: TestContext,
  project: Project,
  { args, count, next }: { args: string[]; count: number; next: string },
): Promise<void> {
  const was = (await project.status()).record?.serving;
  const start = performance.now();
  const killed = await killAfter(project, args, count);
  const { record } = await atRest(project);
  const ms = Math.round(performance.now() - start);
  const wanted = killed.switched ? [killed.release] : [was];
  if (killed.asked) wanted.push(killed.release);
  assert.ok(
    wanted.includes(record?.serving),
    `after ${killed.step} ${record?.serving} serves, not ${wanted.join(' or ')}`,
  );
  const told = await assertFinishedByNext(project, next, killed);
  if (count % 4 === 0) assert.deepEqual(await project.upChanges(), []); // Compose takes its time
  t.diagnostic(`${args.join(' ')}, ${count} steps done, at rest ${ms} ms after its start; told: ${told}`);
}
