import { z } from 'zod';
import { SetupError } from './errors.ts';
import { capture } from './run.ts';
import type { Context } from './step.ts';

/** What the set-up needs to know of compose.yaml, with `.env` and the environment filled in by Compose itself. */
export interface Stack {
  /** The service that `deploy` hands over, and its image. */
  service: string;
  image: string;
  /** Of all services, each once. */
  images: string[];
  pod: string;
  /** The published ports of the host, without TLS and with it; null where there is none, 0 where the engine may choose. */
  port: number;
  tlsPort: number | null;
  /** Asked to see that it answers: never sent on to the port with TLS. */
  probe: string;
}

/** Of the proxy in the pod. */
const TLS_PORT = 443;

const configSchema = z.object({
  'x-deploy': z
    .object({
      service: z.string().default('app'),
      pod: z.string().default('pod'),
      probe: z.string().default('/healthz'),
    })
    .prefault({}),
  services: z.record(
    z.string(),
    z.object({
      image: z.string().optional(),
      ports: z.array(z.object({ target: z.number(), published: z.coerce.number() })).optional(),
    }),
  ),
});

const containerSchema = z.object({
  Service: z.string(),
  Image: z.string(),
  State: z.string(),
  Health: z.string().default(''),
});
export type Running = z.infer<typeof containerSchema>;

/** Asks Compose for the stack as it would start it. */
export async function readStack(context: Context): Promise<Stack> {
  const answer = await compose(context, ['config', '--format', 'json']);
  if (!answer.ok) {
    throw new SetupError('compose.yaml cannot be used', {
      output: answer.tail,
      next: 'correct compose.yaml or .env.',
    });
  }
  return parseStack(answer.stdout);
}

/** Takes the stack's facts out of what `docker compose config --format json` printed. */
export function parseStack(json: string): Stack {
  const config = configSchema.parse(JSON.parse(json));
  const { service, pod, probe } = config['x-deploy'];
  const image = config.services[service]?.image;
  const ports = config.services[pod]?.ports ?? [];
  const port = ports.find(({ target }) => target !== TLS_PORT)?.published;
  const tlsPort = ports.find(({ target }) => target === TLS_PORT)?.published ?? null;
  if (image === undefined || port === undefined) {
    throw new SetupError(
      `compose.yaml needs an image for the service ${service} and a published port for ${pod}`,
      {
        next: 'correct compose.yaml.',
      },
    );
  }
  const images = Object.values(config.services).flatMap((one) => one.image ?? []);
  return { service, image, images: [...new Set(images)], pod, port, tlsPort, probe };
}

/** The containers of the stack that run. */
export async function readRunning(context: Context): Promise<Running[]> {
  const answer = await compose(context, ['ps', '--format', 'json']);
  return answer.ok ? parseRunning(answer.stdout) : [];
}

/** One JSON object a line, or one array, as Compose before 2.21 printed it. */
export function parseRunning(text: string): Running[] {
  const trimmed = text.trim();
  if (trimmed === '') return [];
  const rows: unknown = JSON.parse(trimmed.startsWith('[') ? trimmed : `[${trimmed.split('\n').join(',')}]`);
  return z.array(containerSchema).parse(rows);
}

/** The host's ports that the running pod publishes; none when it does not run. */
export async function readPublishedPorts(pod: string, context: Context): Promise<number[]> {
  const running = await readRunning(context);
  if (!running.some((container) => container.Service === pod && container.State === 'running')) return [];
  const ids = await compose(context, ['ps', '-q', pod]);
  const id = ids.stdout.trim().split('\n')[0] ?? '';
  const answer = await capture('docker', ['port', id], { timeoutMs: 30_000, signal: context.signal });
  return answer.ok ? [...answer.stdout.matchAll(/:(\d+)$/gm)].map(([, port]) => Number(port)) : [];
}

/** The last log lines of services, for an error message. */
export async function readLogs(services: readonly string[], context: Context): Promise<string[]> {
  if (services.length === 0) return [];
  return (await compose(context, ['logs', '--no-color', '--tail', '8', ...services])).tail;
}

async function compose(context: Context, args: readonly string[]): ReturnType<typeof capture> {
  return capture('docker', ['compose', ...args], {
    timeoutMs: 30_000,
    signal: context.signal,
    cwd: context.root,
  });
}
