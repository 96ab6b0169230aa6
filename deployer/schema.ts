import { z } from 'zod';
import { parseDuration } from './duration.ts';

const duration = z.union([z.string(), z.number()]).transform((value, context) => {
  const ms = parseDuration(value);
  if (ms !== undefined) return ms;
  context.addIssue({ code: 'custom', message: `"${value}" is not a duration such as 500ms, 30s or 5m` });
  return z.NEVER;
});

const path = z.string().regex(/^\/\S*$/, 'must be a path that starts with /');

/** `x-deploy:` of compose.yaml. Every key has a default, so an empty block is enough. */
export const deploySchema = z.strictObject({
  /** The Compose service that is handed over. */
  service: z.string().default('app'),
  /** The service that owns the network namespace and the published port. */
  pod: z.string().default('pod'),
  /** Asked on each child's private socket before admission; below 400 is healthy. */
  health: path.default('/readyz'),
  /** Asked through the proxy during a deploy. */
  probe: path.default('/healthz'),
  /** Where the proxy is reached; default: the pod's published port. */
  url: z.url({ protocol: /^https?$/ }).optional(),
  /** The control command, in the image's working directory. */
  ctl: z.array(z.string()).min(1).default(['node', 'ctl']),
  /** Until the new release must be healthy. */
  timeout: duration.default(60_000),
  /** Until an instance that leaves the port has answered everything. */
  'drain-timeout': duration.default(30_000),
  /** A new release must stay healthy this long before it is admitted. */
  settle: duration.default(100),
  /** Keep the previous release warm beside the serving one, for an instant rollback. */
  park: z.boolean().default(true),
});

export type DeploySettings = z.infer<typeof deploySchema>;
