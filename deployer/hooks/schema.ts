import * as z from 'zod/mini';
import { parseDuration } from '../duration.ts';
import type { Outcome } from '../events.ts';

/** The moments at which a command of the operator may run, in the order of a deploy. */
const HOOKS = ['pre-deploy', 'post-admit', 'post-deploy', 'on-failure', 'on-rollback'] as const;
export type HookName = (typeof HOOKS)[number];

const WAITED_FOR: Record<string, HookName[]> = {
  deploy: ['pre-deploy', 'post-admit'],
  hold: ['pre-deploy'],
  admit: ['post-admit'],
};

/** The hooks that a run of this command waits for. A rollback waits for none: it is wanted at once. */
export function waitedFor(configured: HooksSettings, command: string): HookName[] {
  return (WAITED_FOR[command] ?? []).filter((name) => configured[name]);
}

/** The hook that belongs to the end of a run; none where a release is held, or gives up being held, or the proxy is handed over. */
export function lastOf(command: string, outcome: Outcome): HookName | null {
  if (outcome === 'held' || outcome === 'aborted' || command === 'proxy') return null;
  if (outcome !== 'done') return 'on-failure';
  return command === 'rollback' ? 'on-rollback' : 'post-deploy';
}

/** One hook of compose.yaml: a line for `sh -c`, or words that are run as they are; and how long it may take. */
export interface HookSettings {
  command: string | string[];
  timeout: number;
}

const DEFAULT_TIMEOUT_MS = 60_000;
/** The lock of a deploy on another machine counts as dead after an hour: a run's three hooks must fit in. */
const MAX_TIMEOUT_MS = 15 * 60_000;
const SHAPE = 'must be a command, a list of words, or { command, timeout }';

/** Says what is wrong with one hook; `path` leads to the part of it. */
type Refuse = (message: string, path?: string[]) => void;

const hook = z.pipe(
  z.unknown(),
  z.transform((value, context): HookSettings => {
    const { issues } = context;
    const refuse: Refuse = (message, path = []) =>
      void issues.push({ code: 'custom', input: value, message, path });
    return readHook(value, refuse) ?? z.NEVER;
  }),
);

/** `x-deploy.hooks` of compose.yaml. */
export const hooksSchema = z.strictObject({
  'pre-deploy': z.optional(hook),
  'post-admit': z.optional(hook),
  'post-deploy': z.optional(hook),
  'on-failure': z.optional(hook),
  'on-rollback': z.optional(hook),
} satisfies Record<HookName, unknown>);

export type HooksSettings = z.infer<typeof hooksSchema>;

function readHook(value: unknown, refuse: Refuse): HookSettings | null {
  if (typeof value === 'string' || Array.isArray(value)) {
    const command = readCommand(value, (message) => refuse(message));
    return command === null ? null : { command, timeout: DEFAULT_TIMEOUT_MS };
  }
  if (typeof value !== 'object' || value === null) {
    refuse(SHAPE);
    return null;
  }
  const {
    command: given,
    timeout: time = DEFAULT_TIMEOUT_MS / 1000,
    ...rest
  } = value as Record<string, unknown>;
  const strange = Object.keys(rest);
  if (strange.length) refuse(`unknown: ${strange.join(', ')}; known are command, timeout`);
  const command = readCommand(given, (message) => refuse(message, ['command']));
  const timeout = readTimeout(time, (message) => refuse(message, ['timeout']));
  return command !== null && timeout !== null ? { command, timeout } : null;
}

/** Compose reads this file too, and there a dollar sign is written `$$`. */
function readCommand(value: unknown, refuse: Refuse): string | string[] | null {
  const plain = (text: string): string => text.replaceAll('$$', () => '$');
  if (typeof value === 'string' && value.trim() !== '') return plain(value);
  if (Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === 'string') && value[0])
    return value.map(plain);
  refuse(
    Array.isArray(value)
      ? 'the list needs at least one word, and only words (put numbers in quotes)'
      : `${SHAPE}; there is no command`,
  );
  return null;
}

function readTimeout(value: unknown, refuse: Refuse): number | null {
  const ms = typeof value === 'string' || typeof value === 'number' ? parseDuration(value) : undefined;
  if (ms !== undefined && ms > 0 && ms <= MAX_TIMEOUT_MS) return ms;
  refuse(
    ms === undefined
      ? `"${String(value)}" is not a duration such as 500ms, 30s or 5m`
      : 'must be more than 0 and at most 15m',
  );
  return null;
}
