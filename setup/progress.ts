import { Listr, type ListrTask } from 'listr2';
import type { Context, Output, Step } from './step.ts';

const heartbeatMs = 10_000;

/** Runs the steps one after the other; a terminal gets a live list, everything else plain lines. */
export async function runSteps(steps: readonly Step[], context: Context, terminal: boolean): Promise<void> {
  if (terminal) await runOnTerminal(steps, context);
  else for (const step of steps) await runInPlainLines(step, context, print);
}

/** `--check`: says what each step found, or would do, and changes nothing. */
export async function checkSteps(steps: readonly Step[], context: Context): Promise<void> {
  for (const step of steps) {
    const finding = await step.look(context);
    print(`${finding.done ? 'ok   ' : 'to do'} ${step.title}: ${finding.text}`);
  }
}

async function runOnTerminal(steps: readonly Step[], context: Context): Promise<void> {
  const tasks = steps.map((step): ListrTask => {
    return {
      title: step.title,
      rendererOptions: { outputBar: 1 },
      async task(_, task) {
        const finding = await step.look(context);
        if (finding.done) {
          task.title = `${step.title}: ${finding.text}`;
          return;
        }
        task.title = `${step.title}: ${finding.text}`;
        const result = await step.act(context, {
          announce: (text) => (task.title = `${step.title}: ${text}`),
          progress: (line) => (task.output = line.slice(0, process.stdout.columns - 8)),
        });
        task.title = `${step.title}: ${result}`;
      },
    };
  });
  await new Listr(tasks, {
    registerSignalListeners: false, // main.ts decides what an interrupt means
    rendererOptions: { collapseErrors: false, showErrorMessage: false },
  }).run();
}

/** Plain lines: announcements at once, and a sign of life at least every ten seconds. */
export async function runInPlainLines(
  step: Step,
  context: Context,
  write: (line: string) => void,
): Promise<void> {
  const finding = await step.look(context);
  if (finding.done) {
    write(`${step.title}: ${finding.text}`);
    return;
  }
  write(`${step.title}: ${finding.text}`);
  const started = Date.now();
  const seconds = (): string => `${Math.round((Date.now() - started) / 1000)} s`;
  let latest = '';
  const heartbeat = setInterval(
    () => write(`  … ${seconds()}${latest === '' ? '' : `: ${latest}`}`),
    heartbeatMs,
  );
  const output: Output = {
    announce: (text) => write(`  ${text}`),
    progress: (line) => (latest = line),
  };
  try {
    const result = await step.act(context, output);
    write(`${step.title}: ${result} (${seconds()})`);
  } finally {
    clearInterval(heartbeat);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
