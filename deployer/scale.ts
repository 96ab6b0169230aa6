import type { Config } from './config.ts';
import { usage } from './cli-values.ts';
import { SCALE_VARIABLE } from './contract.ts';
import { DeployError, EXIT } from './errors.ts';
import { fillIn, type Values } from './fill-in.ts';
import { requireShares } from './strategy.ts';

/** How many containers of a service Compose keeps, by its file; two names for one thing. */
export interface Scaled {
  scale?: unknown;
  deploy?: unknown;
}

/** `--scale app=3`, as Compose writes it. */
export interface AskedScale {
  service: string;
  count: number;
}

const MOST = 64;

/** Reads the value of `--scale`. */
export function parseScale(text: string): AskedScale {
  const [, service = '', digits] = /^([^=]+)=(\d{1,3})$/.exec(text) ?? [];
  const count = Number(digits);
  if (!(count >= 1 && count <= MOST))
    throw usage(
      `--scale takes a service and how many containers of it, 1 to ${MOST}, as in app=3, not "${text}"`,
    );
  return { service, count };
}

/** The key under which the file has the number. */
export function scaleKeyOf({ scale, deploy }: Scaled): 'scale' | 'deploy.replicas' {
  return scale === undefined && replicasOf(deploy) !== undefined ? 'deploy.replicas' : 'scale';
}

function replicasOf(deploy: unknown): unknown {
  return (deploy as { replicas?: unknown } | null | undefined)?.replicas;
}

/** The number that `docker compose up` would use now; null for one that is no number of containers. */
export function scaleOf({ scale, deploy }: Scaled, values: Values): number | null {
  const written = scale ?? replicasOf(deploy) ?? 1;
  const count = Number(typeof written === 'string' ? fillIn(written, values) : written);
  return Number.isInteger(count) && count >= 1 && count <= MOST ? count : null;
}

/** Whether the file leaves the number to the variable that a deploy can set. */
export function canSetScale({ scale, deploy }: Scaled): boolean {
  return JSON.stringify([scale, deploy]).includes(`\${${SCALE_VARIABLE}`);
}

/** How many containers the next release gets, if that was asked for. Refuses what Compose would undo with its next `up`. */
export function wantedScale(asked: AskedScale | undefined, config: Config): number | undefined {
  const { service } = config.settings;
  if (!asked) return undefined;
  if (asked.service !== service)
    throw usage(`--scale ${asked.service}=${asked.count}: the service that is handed over is "${service}"`);
  if (asked.count > 1) requireShares(config, '--scale');
  if (asked.count !== config.scale && !config.canSetScale) {
    throw new DeployError({
      code: 'SCALE_IS_FIXED',
      exit: EXIT.config,
      what: `docker compose up would go back to ${config.scale} of ${service}: its file fixes the number`,
      subject: config.files.join(', '),
      next: `write there, under services.${service}:  ${config.scaleKey}: \${${SCALE_VARIABLE}:-${config.scale}}`,
    });
  }
  return asked.count;
}
