import { Listr, type ListrTaskWrapper, type ListrRenderer } from 'listr2';
import { formatDuration } from '../duration.ts';
import type { DeployEvent, Emit } from '../events.ts';
import { plainRenderer, type Output, type Renderer, type Verbosity } from './plain.ts';

type Wrapper = ListrTaskWrapper<unknown, typeof ListrRenderer, typeof ListrRenderer>;
interface Live {
  task: Wrapper | null;
  finish: (error?: Error) => void;
}

/** All that a hook says stays on the screen. */
const HOOK_OUTPUT = { outputBar: Infinity, persistentOutput: true };

/**
 * Live progress on a terminal: each step is drawn by listr2 while it runs. What listr2 cannot draw (notices, undone
 * steps, the end) is written as plain lines between two steps.
 */
export function terminalRenderer(output: Output, verbosity: Verbosity): Renderer {
  const plain = plainRenderer(output, verbosity).emit;
  let live: Live | null = null;
  let drawn: Promise<void> = Promise.resolve();
  const waiting: DeployEvent[] = [];

  const begin = (event: Extract<DeployEvent, { type: 'step' }>): void => {
    let finish: Live['finish'] = () => {};
    const done = new Promise<void>((resolve, reject) => {
      finish = (error) => (error ? reject(error) : resolve());
    });
    const now: Live = { task: null, finish };
    live = now;
    const list = new Listr(
      [
        {
          title: event.title,
          rendererOptions: event.id.startsWith('hook:') ? HOOK_OUTPUT : {},
          task: async (_context, task) => ((now.task = task as unknown as Wrapper), await done),
        },
      ],
      { exitOnError: false, rendererOptions: { showErrorMessage: false, collapseErrors: false } },
    );
    drawn = list.run().then(() => {
      if (live === now) live = null;
      for (const held of waiting.splice(0)) render(held);
    });
  };

  const render: Emit = (event) => {
    if (event.type === 'progress' || (event.type === 'output' && live && !verbosity.quiet)) {
      if (live?.task) live.task.output = event.text;
    } else if (event.type === 'step' && (event.status === 'done' || event.status === 'failed') && live) {
      const detail = event.detail ? `: ${event.detail}` : '';
      if (live.task) live.task.title = `${event.title} (${formatDuration(event.ms)})${detail}`;
      live.finish(event.status === 'failed' ? new Error(event.detail) : undefined);
    } else if (live) {
      waiting.push(event); // the drawing of a step ends a moment after the step
    } else if (event.type === 'step' && event.status === 'start') {
      begin(event);
    } else {
      plain(event);
    }
  };
  const flush = async (): Promise<void> => {
    for (let last = null; last !== drawn;) {
      last = drawn; // what was held back may begin another drawing
      await last;
    }
  };
  return { emit: render, flush };
}
