import { en } from 'zod/locales';
import * as z from 'zod/mini';
import { parseDuration } from './duration.ts';
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

const path = z.string().check(z.regex(/^\/\S*$/, 'must be a path that starts with /'));
const defaultTo = z._default; // oxlint-disable-line no-underscore-dangle -- zod's own name for it

/** `x-deploy:` of compose.yaml. Every key has a default, so an empty block is enough. */
export const deploySchema = z.strictObject({
  /** The Compose service that is handed over. */
  service: defaultTo(z.string(), 'app'),
  /** The service that owns the network namespace and the published port. */
  pod: defaultTo(z.string(), 'pod'),
  /** Asked on each child's private socket before admission; below 400 is healthy. */
  health: defaultTo(path, '/readyz'),
  /** Asked through the proxy during a deploy. */
  probe: defaultTo(path, '/healthz'),
  /** Where the proxy is reached; default: the pod's published port. */
  url: z.optional(z.url({ protocol: /^https?$/ })),
  /** The control command, in the image's working directory. */
  ctl: defaultTo(z.array(z.string()).check(z.minLength(1)), ['node', 'ctl']),
  /** Until the new release must be healthy. */
  timeout: defaultTo(duration, 60_000),
  /** Until an instance that leaves the port has answered everything. */
  'drain-timeout': defaultTo(duration, 30_000),
  /** From standby on, a new release must live this long without a crash before it is admitted. */
  settle: defaultTo(duration, 100),
  /** Keep the previous release warm beside the serving one, for an instant rollback. */
  park: defaultTo(z.boolean(), true),
  /** Commands of the operator. */
  hooks: defaultTo(hooksSchema, {}),
});

export type DeploySettings = z.infer<typeof deploySchema>;
