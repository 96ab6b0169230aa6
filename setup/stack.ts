import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { readLogs, readPublishedPorts, readRunning, readStack, type Running, type Stack } from './compose.ts';
import { SetupError } from './errors.ts';
import { capture, run } from './run.ts';
import { proxyVariables } from './stand-ins.ts';
import type { Context, Finding, Step } from './step.ts';

const buildMinutes = 20 * 60_000;
const upSeconds = 240;
const answerDeadlineMs = 60_000;
/** The image that this repository's Dockerfile makes for a stack that was never deployed to. */
const firstImage = 'app:v1';

/** The images of the app and its workers: built from the Dockerfile when they are not there. */
export const appImageStep: Step = {
  title: 'App image',
  async look(context): Promise<Finding> {
    const found = await lookAtStack(context);
    if (found === null)
      return { done: false, text: `build ${firstImage} from the Dockerfile if it is missing` };
    return found.missing.length === 0
      ? { done: true, text: found.stack.image }
      : { done: false, text: `build ${found.missing.join(', ')} from the Dockerfile` };
  },
  async act(context, output): Promise<string> {
    const found = await lookAtStack(context);
    const image = found?.missing[0] ?? firstImage;
    if (image !== firstImage) {
      // Building today's source under the name of another release would be a lie.
      throw new SetupError(`TASUKI_IMAGE names ${image}, which is not on this machine`, {
        next: `\`docker pull ${image}\`, or \`docker build -t ${image} .\` if this source is what it stands for, or remove TASUKI_IMAGE and TASUKI_RELEASE from .env.`,
      });
    }
    const revision = await capture('git', ['rev-parse', '--short', 'HEAD'], {
      timeoutMs: 10_000,
      signal: context.signal,
      cwd: context.root,
    });
    const args = [...proxyVariables(context.env), ...(revision.ok ? [`REVISION=${revision.stdout}`] : [])];
    const buildArgs = args.flatMap((value) => ['--build-arg', value]);
    await run('docker', ['build', '--progress', 'plain', ...buildArgs, '-t', image, '.'], {
      what: `Building ${image}`,
      next: 'read the lines above, correct the Dockerfile or the source, and start again.',
      timeoutMs: buildMinutes,
      signal: context.signal,
      cwd: context.root,
      onLine: (line) => output.progress(line),
    });
    return image;
  },
};

/** `docker compose up`, and a look whether the stack really answers. */
export const stackStep: Step = {
  title: 'Stack',
  look: () =>
    Promise.resolve({ done: false, text: 'docker compose up -d --wait, and wait until it answers' }),
  async act(context, output): Promise<string> {
    const stack = await readStack(context);
    await requireFreePorts(stack, context);
    try {
      await run(
        'docker',
        ['compose', '--progress', 'plain', 'up', '-d', '--wait', '--wait-timeout', String(upSeconds)],
        {
          what: 'Starting the stack',
          next: '`docker compose ps -a` and `docker compose logs` show more; correct it and start again.',
          timeoutMs: (upSeconds + 60) * 1000,
          signal: context.signal,
          cwd: context.root,
          onLine: (line) => output.progress(line),
        },
      );
    } catch (error) {
      throw await explain(error, context);
    }
    output.progress('waiting for the first answer');
    const answer = await waitForAnswer(stack, context);
    return `${urlOf(stack.port)} answers ${answer.status}, release ${answer.release}`;
  },
};

/** What is running, where, and what to type next. */
export async function describeStack(context: Context): Promise<string> {
  const stack = await readStack(context);
  const rows = (await readRunning(context)).map((container) => [
    container.Service,
    container.Image,
    stateOf(container),
  ]);
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map(
    (row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`,
  );
  return [
    '',
    'Running:',
    ...table,
    '',
    `Open ${urlOf(stack.port)}${stack.tlsPort ? `   or https://localhost:${stack.tlsPort}/ (its certificate: npx deploy certificate)` : ''}`,
    'Next:',
    '  npx deploy --build   build this source and hand the running release over to it',
    '  npx deploy status    see which release serves',
    '',
  ].join('\n');
}

function stateOf(container: Running): string {
  return container.Health === '' ? container.State : `${container.State}, ${container.Health}`;
}

function urlOf(port: number): string {
  return `http://localhost:${port}/`;
}

/** What is missing of the image that serves and of the first one, which workers keep until they are told otherwise. */
async function lookAtStack(context: Context): Promise<{ stack: Stack; missing: string[] } | null> {
  const engine = await capture('docker', ['compose', 'version'], {
    timeoutMs: 20_000,
    signal: context.signal,
  });
  if (!engine.ok) return null;
  const stack = await readStack(context);
  const needed = new Set([stack.image, ...stack.images.filter((image) => image === firstImage)]);
  const missing: string[] = [];
  for (const image of needed) {
    const options = { timeoutMs: 20_000, signal: context.signal };
    const inspected = await capture('docker', ['image', 'inspect', image], options);
    if (!inspected.ok) missing.push(image);
  }
  return { stack, missing };
}

/** Compose would say so too, but only after it has made the containers, and without naming what to set. */
async function requireFreePorts(stack: Stack, context: Context): Promise<void> {
  const own = await readPublishedPorts(stack.pod, context);
  await requireFreePort('HTTP_PORT', stack.port, own);
  if (stack.tlsPort) await requireFreePort('HTTPS_PORT', stack.tlsPort, own);
}

async function requireFreePort(variable: string, port: number, own: number[]): Promise<void> {
  if (own.includes(port)) return;
  const problem = await new Promise<string | null>((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host: '0.0.0.0' }, () => server.close(() => resolve(null)));
  });
  if (problem === null) return;
  const why = problem === 'EADDRINUSE' ? 'is in use by something else' : `cannot be opened (${problem})`;
  throw new SetupError(`Port ${port} ${why}`, {
    next: `set another one and start again: ${variable}=${port + 1} npm start (or ${variable}=${port + 1} in .env, to keep it).`,
  });
}

async function explain(error: unknown, context: Context): Promise<unknown> {
  if (!(error instanceof SetupError) || context.signal.aborted) return error;
  const sick = (await readRunning(context)).filter(
    ({ State, Health }) => State !== 'running' || !['', 'healthy'].includes(Health),
  );
  const names = [...new Set(sick.map((container) => container.Service))];
  const logs = await readLogs(names, context);
  const states = sick.map((container) => `${container.Service}: ${stateOf(container)}`);
  return new SetupError(error.message, {
    output: [...error.output, ...states, ...logs],
    next: error.next,
    cause: error,
  });
}

async function waitForAnswer(
  { port, probe }: Stack,
  context: Context,
): Promise<{ status: number; release: string }> {
  const deadline = Date.now() + answerDeadlineMs;
  let last = 'nothing';
  while (Date.now() < deadline) {
    try {
      const signal = AbortSignal.any([context.signal, AbortSignal.timeout(5000)]);
      let response = await fetch(urlOf(port), { signal, redirect: 'manual' });
      // HTTPS_REDIRECT=on: the probe is what still answers here.
      if (response.status === 308) response = await fetch(new URL(probe, urlOf(port)), { signal });
      await response.arrayBuffer();
      const release = response.headers.get('x-release');
      if (response.status === 200 && release !== null) return { status: response.status, release };
      last = `status ${response.status}, ${release === null ? 'no X-Release header' : `X-Release ${release}`}`;
    } catch (error) {
      context.signal.throwIfAborted();
      last = String((error as Error).cause ?? error);
    }
    await sleep(250, undefined, { signal: context.signal });
  }
  const names = (await readRunning(context)).map((container) => container.Service);
  throw new SetupError(
    `The stack runs, but ${urlOf(port)} did not answer 200 within ${answerDeadlineMs / 1000} s (last: ${last})`,
    {
      output: await readLogs(names, context),
      next: '`docker compose logs` shows more.',
    },
  );
}
