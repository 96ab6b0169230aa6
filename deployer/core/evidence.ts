import type { Engine } from '../engine/docker.ts';
import { toDeployError, type DeployError } from '../errors.ts';

interface Container {
  id: string;
  name: string;
}

/** Of the engine's log of health checks, which holds five. */
const HEALTH_CHECKS = 3;
const OUTPUT_CHARS = 200;

/** What a container can say for itself: its last lines, and what its HEALTHCHECK said, where it has one. */
export async function lastWords(engine: Engine, { id, name }: Container): Promise<string[]> {
  const [lines, info] = await Promise.all([engine.lastLines(id), engine.inspect(id).catch(() => null)]);
  const checks = (info?.State.Health?.Log ?? []).slice(-HEALTH_CHECKS);
  const said = (output: string): string => {
    const text = output.trim().replaceAll(/\s+/g, ' ').slice(0, OUTPUT_CHARS);
    return text && `: ${text}`;
  };
  return [
    ...(lines.length ? [`last lines of ${name}:`, ...lines.map((line) => `  ${line}`)] : []),
    ...(checks.length ? [`last health checks of ${name}:`] : []),
    ...checks.map(({ ExitCode, Output }) => `  exit code ${ExitCode}${said(Output)}`),
  ];
}

/** An error about a container, with its last words, unless the error has brought them. */
export async function withLastWords(
  error: unknown,
  engine: Engine,
  container: Container | null,
): Promise<DeployError> {
  const cause = toDeployError(error);
  const { evidence = [] } = cause.details;
  if (!container || evidence.includes(`last lines of ${container.name}:`)) return cause;
  cause.details.evidence = [...evidence, ...(await lastWords(engine, container))];
  return cause;
}

/** Does `work`, whose failure brings the last words of the container it is about. */
export async function about(
  engine: Engine,
  container: Container,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw await withLastWords(error, engine, container);
  }
}
