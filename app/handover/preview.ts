import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isListened } from './names.ts';
import { HandoverError } from './protocol.ts';

const FOLDER = 'preview';
const TOKEN = /^[A-Za-z0-9_-]{16,64}$/;

/**
 * The door by which a release is looked at through the proxy before its users meet it is named after a secret token. The
 * proxy connects to the socket of the token that a request carries, and keeps no list. Gives the path of a token's socket,
 * its folder made, and cleared of sockets behind which nobody is any more.
 */
export async function previewSocket(runDir: string | undefined, token: unknown): Promise<string> {
  if (!runDir) throw new HandoverError('NO_RUN_DIR', 'without a run folder no proxy finds a preview');
  if (typeof token !== 'string' || !TOKEN.test(token))
    throw new HandoverError('BAD_TOKEN', 'a token is 16 to 64 letters, digits, - and _');
  const folder = join(runDir, FOLDER);
  // The proxy, another user, goes through the folder to a name that it was told; it cannot read the names.
  await mkdir(folder, { recursive: true, mode: 0o711 });
  const paths = (await readdir(folder)).map((name) => join(folder, name));
  await Promise.all(
    paths.map(async (path) => (await isListened({ path })) || (await rm(path, { force: true }))),
  );
  return join(folder, `${token}.sock`);
}
