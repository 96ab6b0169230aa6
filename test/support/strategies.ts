import { STRATEGIES } from '../../deployer/schema.ts';

/** The ways of taking over that have a file of their own in proxy/strategies: all but the default. */
export type StrategyFile = Exclude<(typeof STRATEGIES)[number], 'reuseport'>;

/** The file for a strategy that a flag names; none for the default, or without a flag. */
export function strategyFile(name: string | undefined): StrategyFile | undefined {
  const found = STRATEGIES.find((one) => one === name);
  if (name !== undefined && !found) throw new Error(`no such strategy: ${name}`);
  return found === 'reuseport' ? undefined : found;
}
