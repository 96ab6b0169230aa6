import { fillIn, type Values } from '../fill-in.ts';

/** The proxy as the Compose files describe it. */
export interface ProxyService {
  /** The image `docker compose up` would use now. */
  image: string;
  /** The variable that chooses it; null where the file fixes it. */
  variable: string | null;
}

/** The image of proxy/h2o. */
export function isH2o(image: string): boolean {
  return image.startsWith('tasuki-h2o:');
}

/** Reads it; null when there is no such service, or it has no image. */
export function proxyServiceOf(
  service: { image?: unknown } | null | undefined,
  values: Values,
): ProxyService | null {
  if (typeof service?.image !== 'string') return null;
  const [, braced, plain] = /^\$(?:\{(\w+)(?::?-.*)?\}|(\w+))$/.exec(service.image) ?? [];
  return { image: fillIn(service.image, values), variable: braced ?? plain ?? null };
}
