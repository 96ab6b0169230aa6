import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ENCODINGS, FOLDER, HASHED } from './asset-files.ts';

/** Of so many different builds the files are kept, whoever may still have a page of theirs open. */
const KEPT_BUILDS = 5;
/** What lies in `tmp` for longer belongs to an instance that was killed. */
const ABANDONED_MS = 3_600_000;
const LISTS = 'releases';
const TMP = 'tmp';

export interface Publication {
  /** The shared volume; the proxy serves from it. */
  to: string;
  release: string;
  /** Releases whose files stay however many builds come after: the one that serves, the one to go back to. */
  keep: string[];
  /** Where this release has its files. */
  from?: string;
}

/** What one instance wants to be there; written once, under a name of its own that begins with the time. */
interface List {
  release: string;
  files: string[];
}

/**
 * Puts the files of this release into the shared folder and takes out those that no release of the last ones names. It
 * may be killed at any moment and run any number of times at once: everything appears by rename, nothing that appeared
 * is changed, and what is taken out is put back when another instance has asked for it meanwhile.
 *
 * Only names with a hash are published. Another means something else in each release, so the one that serves sends it.
 * Throws when the folder cannot be written; what is in it then is still good.
 */
export async function publishAssets({ to, release, keep, from = FOLDER }: Publication): Promise<void> {
  const files = await hashedFiles(from);
  if (files.length === 0) return;
  for (const folder of ['', ...ENCODINGS, LISTS, TMP])
    await mkdir(join(to, folder)).catch(answerTo('EEXIST', undefined));
  // The list is first: from here on no other instance takes out what it names.
  await writeList(to, { release, files });
  await takeOut(to, [release, ...keep]); // before the files come, in case the disk is full
  const done = await Promise.allSettled(files.map((file) => putIn(from, to, file)));
  const failed = done.find((one) => one.status === 'rejected'); // told when nothing is under way any more
  if (failed) throw failed.reason;
}

/** Paths below `folder`; a folder that is not there has none. */
async function hashedFiles(folder: string): Promise<string[]> {
  const found = ['', ...ENCODINGS].map(async (part) => {
    const names = await readdir(join(folder, part)).catch(answerTo('ENOENT', []));
    return names.filter((name) => HASHED.test(name)).map((name) => join(part, name));
  });
  return (await Promise.all(found)).flat().toSorted();
}

/** A file of the same name and size is the same file: it got its name when all of it was on the disk. */
async function putIn(from: string, to: string, file: string): Promise<void> {
  const [ours, theirs] = await Promise.all([
    stat(join(from, file)),
    stat(join(to, file)).catch(answerTo('ENOENT', null)),
  ]);
  if (ours.size !== theirs?.size) await appear(to, file, (path) => copyFile(join(from, file), path));
}

async function writeList(to: string, list: List): Promise<void> {
  const name = join(LISTS, `${Date.now()}-${randomUUID()}.json`);
  await appear(to, name, (path) => writeFile(path, JSON.stringify(list)));
}

/** A whole file or none: made under another name, on the disk, then renamed. */
async function appear(to: string, name: string, make: (path: string) => Promise<void>): Promise<void> {
  const path = temporary(to, name);
  try {
    await make(path);
    const file = await open(path, 'r');
    try {
      await file.chmod(0o644); // the proxy is another user
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(path, join(to, name));
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

async function takeOut(to: string, keep: string[]): Promise<void> {
  const { files, lists } = await named(to, keep);
  for (const name of await readdir(join(to, LISTS)))
    if (lists.get(name) === false) await rm(join(to, LISTS, name), { force: true });
  const aside: { file: string; path: string }[] = [];
  for (const file of await hashedFiles(to)) {
    if (files.has(file)) continue;
    const path = temporary(to, file);
    if (await rename(join(to, file), path).then(() => true, answerTo('ENOENT', false)))
      aside.push({ file, path });
  }
  // An instance that asked for one of them before it was gone had written its list by then, so now it is seen.
  const { files: again } = await named(to, keep);
  for (const { file, path } of aside)
    await (again.has(file) ? rename(path, join(to, file)) : rm(path, { force: true }));
  for (const name of await readdir(join(to, TMP)))
    if (Date.now() - Number.parseInt(name) > ABANDONED_MS) await rm(join(to, TMP, name), { force: true });
}

/** The files that must stay, and of each list whether it must: the newest builds, and the newest list of each in `keep`. */
async function named(
  to: string,
  keep: string[],
): Promise<{ files: Set<string>; lists: Map<string, boolean> }> {
  const wanted = new Set(keep);
  const builds = new Set<string>();
  const files = new Set<string>();
  const lists = new Map<string, boolean>();
  for (const name of (await readdir(join(to, LISTS))).toSorted().toReversed()) {
    const text = await readFile(join(to, LISTS, name), 'utf8').catch(answerTo('ENOENT', null));
    if (text === null) continue; // another instance has just removed it
    const list = parse(text);
    const build = list.files.join();
    const isWanted = wanted.delete(list.release);
    const stays = isWanted || (build !== '' && !builds.has(build) && builds.size < KEPT_BUILDS);
    lists.set(name, stays);
    if (!stays) continue;
    builds.add(build);
    for (const file of list.files) files.add(file);
  }
  return { files, lists };
}

/** A damaged list names nothing. */
function parse(text: string): List {
  try {
    return JSON.parse(text) as List;
  } catch {
    return { release: '', files: [] };
  }
}

/** The time is in the name: a file that is moved keeps its own. */
function temporary(to: string, name: string): string {
  return join(to, TMP, `${Date.now()}-${randomUUID()}-${basename(name)}`);
}

/** For `catch`: a failure with this code is answered, any other is thrown on. */
function answerTo<T>(code: string, answer: T): (error: unknown) => T {
  return (error) => {
    if ((error as NodeJS.ErrnoException).code === code) return answer;
    throw error;
  };
}
