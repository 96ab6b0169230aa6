import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Puts into a folder what a project is made of: compose.yaml, as `edit` leaves it, the proxy and the pod. With `hasty` the
 * proxy gives idle connections to the app up after a tenth of the time, and drains are over sooner.
 */
export async function copyProject(
  folder: string,
  { edit, hasty }: { edit: (composeText: string) => string; hasty: boolean },
): Promise<void> {
  const compose = await readFile(join(ROOT, 'compose.yaml'), 'utf8');
  await writeFile(join(folder, 'compose.yaml'), edit(brief(compose)));
  for (const part of ['proxy', 'pod']) await cp(join(ROOT, part), join(folder, part), { recursive: true });
  if (!hasty) return;
  const changes = [
    ['nginx/templates/http/30-upstream.conf.template', 'keepalive_timeout 2s;', 'keepalive_timeout 200ms;'],
    ['h2o/start.sh', 'KEEPALIVE_MS=2000', 'KEEPALIVE_MS=200'],
  ] as const;
  for (const [name, from, to] of changes) {
    const file = join(folder, 'proxy', name);
    await writeFile(file, (await readFile(file, 'utf8')).replace(from, to));
  }
}

/** Most tests deploy many times: without a watch, and the worker stays as it is. Those of either ask for it. */
function brief(compose: string): string {
  return compose
    .replace('\nx-deploy:', (line) => `${line}\n  watch: 0s #`)
    .replace(/^ {2}workers:.*\n/m, '')
    .replace(/(?<=^ {2}worker:\n {4}image: )\S+$/m, '${WORKER_IMAGE:-app:v1}')
    .replace(/(?<=^ {2}worker:\n(?:(?: {4}.*)?\n)*?) {6}RELEASE:.*\n/m, '');
}
