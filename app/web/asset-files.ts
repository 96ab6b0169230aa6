import { fileURLToPath } from 'node:url';

/** The static files of this release: beside the bundle as build.ts makes them, or those of the source tree as they are. */
export const FOLDER = fileURLToPath(new URL('./assets/', import.meta.url));

/**
 * The smaller forms of a file, the smallest first: each lies under the same name in a folder called like its encoding,
 * so that its ending still tells what it is. build.ts makes them; app and proxy choose in this order.
 */
export const ENCODINGS = ['br', 'zstd', 'gzip'] as const;

/** A name that carries a hash of the content: whichever release says it means the same bytes. */
export const HASHED = /-[A-Z0-9]{8}\.\w+$/;
