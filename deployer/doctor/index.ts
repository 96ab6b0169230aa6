import { APP_CHECKS } from './app.ts';
import type { Check } from './check.ts';
import { CONTAINER_CHECKS, ENGINE_CHECKS } from './engine.ts';
import { MACHINE_CHECKS, POD_CHECKS } from './machine.ts';
import { MIGRATION_CHECKS } from './migration.ts';
import type { Facts } from './facts.ts';
import { COMPOSE_CHECKS, PROJECT_CHECKS } from './project.ts';
import { SOCKET_CHECKS } from './socket.ts';

/** Every check; what others rest on comes before them, so that the first failure is the cause of those after it. */
export const CHECKS: Check[] = [
  ...ENGINE_CHECKS,
  ...MACHINE_CHECKS,
  ...PROJECT_CHECKS,
  ...CONTAINER_CHECKS,
  ...POD_CHECKS,
  ...APP_CHECKS,
  ...COMPOSE_CHECKS,
  ...SOCKET_CHECKS,
  ...MIGRATION_CHECKS,
];

/** Those that are about this project; all of them when it cannot be read. */
export function checksFor({ missing, config }: Facts): Check[] {
  return CHECKS.filter(
    ({ strategy }) => !strategy || missing.config || strategy === config.settings.strategy,
  );
}
