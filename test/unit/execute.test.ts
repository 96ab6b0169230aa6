import assert from 'node:assert/strict';
import { beforeEach, describe, it, mock } from 'node:test';
import type { Context } from '../../deployer/core/context.ts';
import { execute, runLast, tidyUp } from '../../deployer/core/execute.ts';
import type { Plan, Step } from '../../deployer/core/plan.ts';
import { HANDLERS } from '../../deployer/core/steps.ts';
import { DeployError, EXIT, Interrupted } from '../../deployer/errors.ts';
import type { DeployEvent } from '../../deployer/events.ts';
import { errorLines } from '../../deployer/ui/words.ts';

type Word = Step['do'];
const STEPS: { [W in Word]?: Extract<Step, { do: W }> } = {
  create: { id: 'create', cause: '', do: 'create', release: 'r2', image: 'app:v2', count: 1, scale: 2 },
  start: { id: 'start', cause: '', do: 'start', release: 'r2' },
  standby: { id: 'standby', cause: '', do: 'standby', release: 'r2', image: 'app:v2', target: null },
  admit: { id: 'admit', cause: '', do: 'admit', release: 'r2', target: null },
  confirm: { id: 'confirm', cause: '', do: 'confirm', release: 'r2', loosen: ['old'] },
  promote: { id: 'promote', cause: '', do: 'promote', release: 'r2' },
  remember: { id: 'remember', cause: '', do: 'remember', release: 'r2', image: 'app:v2', count: 1 },
  drain: { id: 'drain', cause: '', do: 'drain', release: 'r1', targets: ['old'] },
  retire: { id: 'retire:app-1', cause: '', do: 'retire', release: 'r1', target: 'old' },
};
const step = (word: Word): Step => {
  const found = STEPS[word];
  assert.ok(found);
  return found;
};
const BEFORE: Word[] = ['create', 'start', 'standby', 'admit', 'confirm'];
const AFTER: Word[] = ['remember', 'drain', 'retire'];
const plan: Plan = {
  tidy: [{ id: 'retire:left', cause: '', do: 'retire', release: 'r0', target: 'left' }],
  reversible: BEFORE.map(step),
  pivot: step('promote'),
  forward: AFTER.map(step),
  watch: [],
};
const DONE = [...BEFORE, 'promote', ...AFTER];
/** The steps that can be taken back, the last first. */
const undone = (...words: string[]): string[] => words.map((word) => `undo ${word}`);

describe('a plan that is carried out', () => {
  let did: string[];
  let events: DeployEvent[];
  let interrupt: AbortController;
  let context: Context;

  /** What a step does in place of its work; `undo word` for taking it back. */
  let acts: Record<string, () => void>;

  beforeEach(() => {
    did = [];
    events = [];
    acts = {};
    interrupt = new AbortController();
    const emit = (event: DeployEvent): number => events.push(event);
    context = { emit, signal: interrupt.signal } as unknown as Context;
    mock.restoreAll();
    const act = (name: string) => async (): Promise<void> => {
      did.push(name);
      acts[name]?.();
    };
    for (const [word, handler] of Object.entries(HANDLERS)) {
      mock.method(handler, 'run', act(word));
      if (handler.undo)
        mock.method(handler as unknown as { undo: () => Promise<void> }, 'undo', act(`undo ${word}`));
    }
  });

  const fail = (message: string) => (): never => {
    throw new Error(message);
  };

  it('does every step once and in order, and reports each with its time', async () => {
    const result = await execute(plan, context);
    assert.equal(result.outcome, 'done');
    assert.equal(result.error, null);
    assert.deepEqual(did, DONE);
    assert.deepEqual(
      result.steps.map(({ id }) => id),
      [...plan.reversible, step('promote'), ...plan.forward].map(({ id }) => id),
    );
    const starts = events.filter((event) => event.type === 'step' && event.status === 'start');
    assert.equal(starts.length, DONE.length);
  });

  it('takes back what was begun, the failed step first, then in reverse', async () => {
    acts.confirm = fail('behind the proxy: 500');
    const result = await execute(plan, context);
    assert.equal(result.outcome, 'failed');
    assert.equal(result.error?.exit, EXIT.failed);
    assert.match(result.error?.message ?? '', /behind the proxy: 500/);
    assert.deepEqual(did, [...BEFORE, ...undone('confirm', 'admit', 'start', 'create')]);
  });

  it('does not touch what it had not begun', async () => {
    acts.start = fail('no memory');
    await execute(plan, context);
    assert.deepEqual(did, ['create', 'start', ...undone('start', 'create')]);
  });

  it('takes everything back when the switch itself is refused', async () => {
    acts.promote = fail('read-only file system');
    const result = await execute(plan, context);
    assert.equal(result.outcome, 'failed');
    assert.deepEqual(did, [...BEFORE, 'promote', ...undone('confirm', 'admit', 'start', 'create')]);
  });

  for (const interrupted of [false, true]) {
    const when = interrupted ? ', and Ctrl-C came as well' : '';
    it(`takes nothing back when nobody knows whether the switch happened${when}`, async () => {
      acts.promote = () => {
        if (interrupted) interrupt.abort(new Interrupted());
        throw new DeployError({ code: 'PIVOT_UNKNOWN', exit: EXIT.incomplete, what: 'no answer', next: '' });
      };
      const result = await execute(plan, context);
      assert.equal(result.outcome, 'incomplete');
      assert.deepEqual(did, [...BEFORE, 'promote']);
    });
  }

  it('says in which step it failed, what was taken back, and what the container said last', async () => {
    acts.confirm = fail('behind the proxy: 500');
    acts['undo start'] = fail('the engine is gone');
    const asked: string[] = [];
    const checks = [{ ExitCode: 1, Output: 'no  answer\n' }];
    context.next = { id: 'new', name: 'app-2' };
    context.engine = {
      lastLines: async (id: string) => (asked.push(id), ['fatal: out of luck']),
      inspect: async () => ({ State: { Health: { Log: checks } } }),
    } as unknown as Context['engine'];
    const { error } = await execute(plan, context);
    assert.ok(error);
    const { step: where, undone: back, evidence } = error.details;
    assert.equal(where, 'see it answer through the proxy');
    assert.deepEqual(back, ['see it answer through the proxy', 'admit r2', 'create a container of app:v2']);
    assert.deepEqual(asked, ['new']);
    assert.deepEqual(evidence, [
      'last lines of app-2:',
      '  fatal: out of luck',
      'last health checks of app-2:',
      '  exit code 1: no answer',
    ]);
    const said = errorLines(error.details).join('\n');
    assert.match(
      said,
      /step: {2}see it answer[^]*out of luck[^]*undone: see it answer through the proxy; admit r2/,
    );
  });

  it('says that nothing had to be taken back when its first step fails, and claims nothing after the switch', async () => {
    acts.create = fail('no memory');
    acts['undo create'] = fail('there is none');
    const first = await execute(plan, context);
    assert.deepEqual(first.error?.details.undone, []);
    assert.match(errorLines(first.error?.details ?? assert.fail()).join('\n'), /undone: nothing/);
    acts = { drain: fail('it does not leave') };
    const later = await execute(plan, context);
    assert.deepEqual([later.error?.details.step, later.error?.details.undone], ['drain r1', undefined]);
  });

  it('has a hook at its end whose failure only warns', async () => {
    acts.hook = fail('nobody to tell');
    const last = {
      id: 'hook:post-deploy',
      do: 'hook',
      hook: 'post-deploy',
      release: 'r2',
      image: '',
      cause: '',
    } as const;
    await runLast(last, context);
    assert.deepEqual(did, ['hook']);
    assert.deepEqual(events.at(-1), { type: 'notice', level: 'warn', text: 'nobody to tell' });
  });

  it('goes on taking back when one step cannot be, and says so', async () => {
    acts.confirm = fail('no answer');
    acts['undo admit'] = fail('the engine is gone');
    await execute(plan, context);
    assert.deepEqual(did, [...BEFORE, ...undone('confirm', 'admit', 'start', 'create')]);
    const notices = events.filter((event) => event.type === 'notice');
    assert.equal(notices.length, 1);
    assert.match(notices[0]?.text ?? '', /could not undo "admit r2": the engine is gone/);
  });

  it('tries a step after the switch again, and is done when it works at the third try', async () => {
    let tries = 0;
    acts.drain = () => {
      tries += 1;
      if (tries < 3) throw new Error('busy');
    };
    const result = await execute(plan, context);
    assert.equal(result.outcome, 'done');
    assert.deepEqual(did, [...BEFORE, 'promote', 'remember', 'drain', 'drain', 'drain', 'retire']);
  });

  it('ends incomplete after the third try, takes nothing back, and leaves the rest to the next run', async () => {
    acts.drain = fail('it does not leave the port');
    const result = await execute(plan, context);
    assert.equal(result.outcome, 'incomplete');
    assert.equal(result.error?.exit, EXIT.incomplete);
    assert.deepEqual(did, [...BEFORE, 'promote', 'remember', 'drain', 'drain', 'drain']);
  });

  for (const at of BEFORE) {
    it(`is taken back when it is interrupted during "${at}", though that step itself succeeds`, async () => {
      acts[at] = () => interrupt.abort(new Interrupted());
      const result = await execute(plan, context);
      assert.equal(result.outcome, 'interrupted');
      assert.equal(result.error?.exit, EXIT.interrupted);
      const begun = BEFORE.slice(0, BEFORE.indexOf(at) + 1);
      const back = begun.filter((word) => word !== 'standby').toReversed();
      assert.deepEqual(did, [...begun, ...undone(...back)]);
    });
  }

  it('goes on to its end when the interruption comes with the switch or after it', async () => {
    acts.promote = () => interrupt.abort(new Interrupted());
    const result = await execute(plan, context);
    assert.equal(result.outcome, 'done');
    assert.deepEqual(did, DONE);
  });

  it('does nothing at all when it was interrupted before it began', async () => {
    interrupt.abort(new Interrupted());
    const result = await execute(plan, context);
    assert.equal(result.outcome, 'interrupted');
    assert.deepEqual(did, []);
  });

  it('leaves tidying to its own run, which also tries three times and then gives up', async () => {
    await execute(plan, context);
    assert.ok(!events.some((event) => event.type === 'step' && event.id === 'retire:left'));
    did = [];
    await tidyUp(plan, context);
    assert.deepEqual(did, ['retire']);
    did = [];
    acts.retire = fail('the engine is gone');
    await assert.rejects(tidyUp(plan, context), /the engine is gone/);
    assert.deepEqual(did, ['retire', 'retire', 'retire']);
  });
});
