import { parseArgs } from 'node:util';
import { STRATEGIES } from '../../deployer/schema.ts';
import { BAD } from '../fixtures/bad-releases.ts';
import { killAfter } from '../support/killed.ts';
import { buildFixture, buildReleases, Project } from '../support/project.ts';
import { PROXIES } from '../support/proxies.ts';
import { atRest, planOf } from '../support/steps.ts';
import { strategyFile } from '../support/strategies.ts';
import { BRISK, underLoad } from '../support/under-load.ts';

/**
 * Every way of taking over behind either proxy, and everything that may become of a deploy: so many times each under load, with the
 * ledger. One line for each cell, as Markdown.
 *   node test/bench/everywhere.ts [--times 30] [--strategy unix] [--proxy h2o] [--event "bad release"]
 */

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '30' },
    strategy: { type: 'string', multiple: true },
    proxy: { type: 'string', multiple: true },
    event: { type: 'string', multiple: true },
  },
});
const times = Number(values.times);
const BACK_MS = 30_000;
/** Those that are bad whatever they are admitted to. */
const WRONG = BAD.filter(({ kind }) => ['exits-at-boot', 'crashes-after-ready', 'stuck'].includes(kind));

const images = await buildReleases('v2', 'v3');
await Promise.all(WRONG.map(({ kind }) => buildFixture(kind)));
const imageOf = (n: number): string => images[n % images.length]!;

/** What is done, the n-th time; it throws when it did not come to what it should. */
const EVENTS: Record<string, (project: Project, n: number) => Promise<void>> = {
  deploy: async (project, n) => void (await project.deployOk('--image', imageOf(n))),
  rollback: async (project) => void (await project.deployOk('rollback')),
  'bad release': async (project, n) => {
    const { kind, flags = [] } = WRONG[n % WRONG.length]!;
    const { exitCode, stderr } = await project.deploy('--image', `tasuki-test:${kind}`, ...flags);
    if (exitCode !== 1) throw new Error(`${kind} ended with ${exitCode}: ${stderr}`);
  },
  'deployer killed': async (project, n) => {
    const args = ['--image', imageOf(n)];
    const { all } = await planOf(project, args);
    await killAfter(project, args, n % (all.length + 1));
    await project.deployOk('resume');
    await atRest(project);
  },
};

const chosen = <T extends string>(all: readonly T[], asked: string[] | undefined): T[] =>
  all.filter((one) => !asked || asked.includes(one));

console.log('| strategy | proxy | | times | requests | failed | lost | duplicated | longest gap, ms |');
console.log('|---|---|---|---|---|---|---|---|---|');
for (const strategy of chosen(STRATEGIES, values.strategy))
  for (const proxy of chosen(PROXIES, values.proxy)) {
    await using project = await Project.up('tasuki-test:v1', {
      strategy: strategyFile(strategy),
      proxy,
      hasty: true,
    });
    await project.deployOk('--image', imageOf(1)); // so that there is something to go back to
    for (const event of chosen(Object.keys(EVENTS), values.event)) {
      const { report, judgement, kernel } = await underLoad(project, BRISK, async (load) => {
        await load.until(({ answered }) => answered > 300, BACK_MS);
        for (let n = 0; n < times; n++) await EVENTS[event]!(project, n);
      });
      const { sent, failed, longestGap } = report;
      const { lost, duplicated } = judgement;
      console.log(
        `| ${[strategy, proxy, event, times, sent, failed, lost.length, duplicated.length, Math.round(longestGap.ms)].join(' | ')} |`,
      );
      if (judgement.ok && !kernel.length) continue;
      console.log(
        `${judgement.summary} ${kernel.join(', ')}\n${JSON.stringify(report.failures.slice(0, 5))}`,
      );
      process.exitCode = 1;
    }
  }
