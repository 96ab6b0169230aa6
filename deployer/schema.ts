import { en } from 'zod/locales';
import * as z from 'zod/mini';
import { parseDuration } from './duration.ts';
import { linksSchema, smokeSchema } from './smoke/schema.ts';
import { parseSize } from './size.ts';
import { hooksSchema } from './hooks/schema.ts';

z.config(en()); // the small build of zod brings no messages of its own

const duration = z.pipe(
  z.union([z.string(), z.number()]),
  z.transform((value, context) => {
    const ms = parseDuration(value);
    if (ms !== undefined) return ms;
    context.issues.push({
      code: 'custom',
      input: value,
      message: `"${value}" is not a duration such as 500ms, 30s or 5m`,
    });
    return z.NEVER;
  }),
);

/** Bytes, or `false`: not looked at. */
const sizeOrOff = z.pipe(
  z.union([z.literal(false), z.string(), z.number()]),
  z.transform((value, context) => {
    const bytes = value === false ? value : parseSize(value);
    if (bytes !== undefined) return bytes;
    const message = `"${value}" is not a size such as 64m or 1.5g, nor false`;
    context.issues.push({ code: 'custom', input: value, message });
    return z.NEVER;
  }),
);

const path = z.string().check(z.regex(/^\/\S*$/, 'must be a path that starts with /'));
const defaultTo = z._default; // oxlint-disable-line no-underscore-dangle -- zod's own name for it

/** The kernel shares one port out; a socket is renamed into place; the proxy is told another address. */
export const STRATEGIES = ['reuseport', 'unix', 'upstream'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** `x-deploy:` of compose.yaml. Every key has a default, so an empty block is enough. */
export const deploySchema = z.strictObject({
  /** The Compose service that is handed over. */
  service: defaultTo(z.string(), 'app'),
  /** The service that owns the network namespace and the published port. */
  pod: defaultTo(z.string(), 'pod'),
  /** How the next release takes over from the one that serves: see docs/strategies.md. */
  strategy: defaultTo(z.enum(STRATEGIES), 'reuseport'),
  /** The service through which all requests come, and which is itself handed over by `deploy --service`. */
  proxy: defaultTo(z.string(), 'proxy'),
  /** Services that take jobs, and are put on the release that serves. */
  workers: defaultTo(z.array(z.string()), []),
  /** Asked on each child's private socket before admission; below 400 is healthy. */
  health: defaultTo(path, '/readyz'),
  /** Asked through the proxy during a deploy. */
  probe: defaultTo(path, '/healthz'),
  /** Where the proxy is reached; default: the pod's published port. */
  url: z.optional(z.url({ protocol: /^https?$/ })),
  /** The control command, in the image's working directory; `false`: an image that knows nothing of docs/contract.md. */
  ctl: defaultTo(
    z.union([z.literal(false), z.array(z.string()).check(z.minLength(1))], {
      error: 'must be a list of words such as [node, ctl], or false',
    }),
    ['node', 'ctl'],
  ),
  /** Until the new release must be healthy. */
  timeout: defaultTo(duration, 60_000),
  /** Until an instance that leaves the port has answered everything. */
  'drain-timeout': defaultTo(duration, 30_000),
  /** From standby on, a new release must live this long without a crash before it is admitted. */
  settle: defaultTo(duration, 100),
  /** The command that brings the database to what the new release knows, run once in a container of its image. */
  migrate: z.optional(z.array(z.string()).check(z.minLength(1))),
  /** Until it must have ended. */
  'migrate-timeout': defaultTo(duration, 600_000),
  /**
   * The share of the CPU that a booting release gets, until it is admitted: `auto`, what those who serve leave over, or more
   * where they leave nothing; a number: so many times its own. 1: left alone.
   */
  'boot-weight': defaultTo(
    z.union([z.literal('auto'), z.number().check(z.minimum(0.01), z.maximum(64))]),
    'auto',
  ),
  /** Pages that every child is asked for before admission, until its answers become no faster, so long at most. */
  'warm-up': z.optional(
    z.strictObject({
      paths: defaultTo(z.array(path).check(z.minLength(1)), ['/']),
      for: defaultTo(duration, 3000),
    }),
  ),
  /** Pages that must be as expected through the proxy before a release is admitted; default: `/` is no server error. */
  smoke: z.optional(smokeSchema),
  /** Pages from which every link of the site must answer before a release is admitted. */
  links: defaultTo(linksSchema, []),
  /** How long the new release is watched once it serves; one that does worse than the old one is taken back. 0: not. */
  watch: defaultTo(duration, 5000),
  /** Keep the previous release warm beside the serving one, for an instant rollback. */
  park: defaultTo(z.boolean(), true),
  /** How long it stays warm; default: until the next deploy. */
  keep: z.optional(duration),
  /** After a deploy, remove images of old releases. */
  prune: defaultTo(z.boolean(), true),
  /** The images of so many releases that served last stay. */
  'keep-images': defaultTo(z.int().check(z.nonnegative()), 5),
  /** Must remain when the next release runs beside what runs now. */
  'free-memory': defaultTo(sizeOrOff, 64 * 1024 ** 2),
  /** Must remain where the engine keeps its data. */
  'free-disk': defaultTo(sizeOrOff, 500 * 1024 ** 2),
  /** Commands of the operator. */
  hooks: defaultTo(hooksSchema, {}),
});

export type DeploySettings = z.infer<typeof deploySchema>;
