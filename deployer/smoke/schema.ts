import * as z from 'zod/mini';

/** One page that must be as expected before a release is admitted. */
export interface SmokeCheck {
  path: string;
  /** Exactly this; else anything below 400. */
  status?: number | undefined;
  /** A text that the answer must hold. */
  contains?: string | undefined;
}

const path = z.string().check(z.regex(/^\/\S*$/, 'must be a path that starts with /'));

/** `x-deploy.smoke`: paths, or what is expected of them. */
export const smokeSchema = z.array(
  z.union(
    [
      z.pipe(
        path,
        z.transform((text): SmokeCheck => ({ path: text })),
      ),
      z.strictObject({
        path,
        status: z.optional(z.int().check(z.minimum(100), z.maximum(599))),
        contains: z.optional(z.string().check(z.minLength(1))),
      }),
    ],
    'must be a path that starts with /, or { path, status, contains }',
  ),
);

/** `x-deploy.links`: pages from which every link of the site is followed. */
export const linksSchema = z.array(path);
