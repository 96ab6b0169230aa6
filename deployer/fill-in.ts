import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseYaml } from './yaml.ts';

export type Values = Record<string, string | undefined>;

/** Text of a Compose file with `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:?error}` in it, as Compose would read it. */
export function fillIn(text: string, values: Values): string {
  const variable = /\$(?:\{(\w+)(?::?-((?:[^{}]|\{[^{}]*\})*)|:?\?[^{}]*)?\}|(\w+))/g;
  return text.replaceAll(
    variable,
    // A default may hold another variable; what a variable holds is taken as it is.
    (_, braced: string | undefined, fallback = '', plain = '') =>
      values[braced ?? plain] || (fallback && fillIn(fallback, values)),
  );
}

interface Named {
  image?: unknown;
  extends?: unknown;
}

/** Every image that a service may be made of, by each of several sets of variables; `directory` is that of the files. */
export async function namedImages(
  services: Record<string, Named | null>,
  sets: Values[],
  directory: string,
): Promise<string[]> {
  const images = await Promise.all(
    Object.values(services).flatMap((service) =>
      sets.map(async (values) => {
        const image = await imageOf(service, values, directory);
        return typeof image === 'string' ? fillIn(image, values) : '';
      }),
    ),
  );
  return [...new Set(images)].filter(Boolean);
}

/** The image of a service as its file has it, or the file that it extends. */
export async function imageOf(
  service: Named | null | undefined,
  values: Values,
  directory: string,
): Promise<unknown> {
  return service?.image ?? (await extendedImage(service?.extends, values, directory));
}

/** The image of a service in another file. What is wrong with that file is Compose's to say. */
async function extendedImage(from: unknown, values: Values, directory: string): Promise<unknown> {
  const { file, service } = (from ?? {}) as { file?: unknown; service?: unknown };
  if (typeof file !== 'string' || typeof service !== 'string') return undefined;
  const text = await readFile(resolve(directory, fillIn(file, values)), 'utf8').catch(() => '');
  const document = parseYaml(text) as { services?: Record<string, Named | null> } | null;
  return document?.services?.[service]?.image;
}
