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

/** Every image that a service may be made of, by each of several sets of variables. */
export function namedImages(services: Record<string, { image?: unknown } | null>, sets: Values[]): string[] {
  const images = Object.values(services).flatMap((service) =>
    typeof service?.image === 'string' ? [service.image] : [],
  );
  return [...new Set(images.flatMap((image) => sets.map((values) => fillIn(image, values))))].filter(Boolean);
}
