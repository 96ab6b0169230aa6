import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { buildReleases, Project } from '../support/project.ts';
import { planOf, stepNamer } from '../support/steps.ts';
import { strikeAt, type Cell } from './cell.ts';
import { FAULTS } from './faults.ts';

/**
 * Every fault at every step of a deploy, under load: what was lost, which release serves afterwards, what the next command
 * says. The steps are those of the plan, so that a new one is covered the day it is added. Wants root, and an engine that it
 * may restart.
 *   node test/faults/matrix.ts [--fault "disk full"]... [--step admit]... [--json]
 */
const { values } = parseArgs({
  options: {
    fault: { type: 'string', multiple: true },
    step: { type: 'string', multiple: true },
    json: { type: 'boolean', default: false },
  },
});

/** A disk of its own for the project, so that filling it fills nobody else's. */
async function withSmallDisk(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tasuki-faults-'));
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder]);
  try {
    await work(folder);
  } finally {
    await execa('umount', [folder]);
    await rm(folder, { recursive: true });
  }
}

/** The same for the volume in which the record is. */
function smallVolume(compose: string): string {
  const options = 'driver_opts: { type: tmpfs, device: tmpfs, o: "size=2m" }';
  return compose.replace(/^ {2}run:.*$/m, `  run: { ${options} }`);
}

/** Only what an instance had accepted when it was itself killed may fail; nothing may be done twice, or not be kept. */
function isAsPromised(cell: Cell): boolean {
  const killed = / (SIGKILL|OOM)$/.test(cell.fault) && !cell.fault.startsWith('deployer');
  // What was sent to it and may have been done is not sent again; an answer that had begun cannot be begun anew.
  const excused = cell.failed.every(({ method, error }) =>
    /^(POST http-502|\w+ truncated)$/.test(`${method} ${error}`),
  );
  return (
    cell.wrong.length === 0 &&
    (killed ? excused : cell.failures + cell.kernel.length === 0) &&
    !cell.serves.startsWith('NOT') &&
    !cell.next.includes('EXIT')
  );
}

const [v2 = '', v3 = ''] = await buildReleases('v2', 'v3');
await withSmallDisk(async (folder) => {
  await using project = await Project.up('tasuki-test:v1', { edit: smallVolume, parent: folder });
  await project.deployOk('--image', v2);
  await project.deployOk('--image', v3);
  const { all } = await planOf(project, ['--image', v2, '--watch', '2s']);
  const steps = all.map(stepNamer());
  let broken = 0;
  for (const fault of FAULTS.filter(({ name }) => values.fault?.includes(name) ?? true)) {
    for (const step of steps.filter((name) => values.step?.includes(name) ?? true)) {
      const cell = await strikeAt(project, fault, step, v2, v3);
      const fine = isAsPromised(cell);
      if (!fine) broken++;
      if (values.json) console.log(JSON.stringify(cell));
      else {
        const lost = `${cell.failures} of ${cell.sent} failed${cell.refused ? `, ${cell.refused} refused` : ''}`;
        const what = cell.struck ? lost : 'nothing to strike';
        console.log(
          `${fine ? 'ok ' : 'BAD'} | ${fault.name} | ${step} | ${what} | exit ${cell.exit} | ${cell.serves} serves | ${cell.next}`,
        );
        for (const { id, method, kind, error, release, startMs } of cell.failed)
          console.log(`      ${Math.round(startMs)} ms  ${method} ${kind} ${id}: ${error} ${release}`);
        if (!fine) for (const line of cell.log) console.log(`      ${line}`);
        for (const wrong of [...cell.wrong, ...cell.kernel]) console.log(`      ${wrong}`);
      }
    }
  }
  console.log(broken ? `${broken} cells are not as promised` : 'all as promised');
  if (broken) process.exitCode = 1;
});
