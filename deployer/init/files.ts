import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Of this package: two folders up both from here and from dist/deploy. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The proxy's files, here and in a project. */
export const FOLDERS = ['proxy/common', 'proxy/nginx'];

/** A file that a project is to have. */
export interface Wanted {
  /** In the project's folder. */
  path: string;
  text: string;
  /** nginx's image runs it. */
  isScript: boolean;
}

/** What is there: nothing, the same, or something else. */
export type Standing = 'absent' | 'same' | 'different';

/** The proxy's templates, scripts and service. */
export async function proxyFiles(): Promise<Wanted[]> {
  const entries = await Promise.all(
    FOLDERS.map(
      async (folder) => await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true }),
    ),
  );
  const paths = entries
    .flat()
    .filter((one) => one.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .toSorted();
  return await Promise.all(
    paths.map(async (path) => ({
      path: relative(ROOT, path),
      text: await readFile(path, 'utf8'),
      isScript: path.endsWith('.sh'),
    })),
  );
}

/** Compares with what the project's folder has. */
export async function standingOf(folder: string, { path, text }: Wanted): Promise<Standing> {
  const found = await readFile(join(folder, path), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    if (error.code === 'EISDIR' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (found === null) return 'absent';
  return found === text ? 'same' : 'different';
}

/** Writes a file that is not there; never over another. */
export async function put(folder: string, { path, text, isScript }: Wanted): Promise<void> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text, { flag: 'wx', mode: isScript ? 0o755 : 0o644 });
}
