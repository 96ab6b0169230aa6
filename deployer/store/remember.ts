import type { Config } from '../config.ts';
import { IMAGE_VARIABLE, RELEASE_VARIABLE, SCALE_VARIABLE } from '../contract.ts';
import { readEnvFile, setInEnvFile } from './env-file.ts';

/** Writes to `.env` what `docker compose up` must start from now on. The number only where the file would give another. */
export async function rememberIn(
  { envFile, scale }: Pick<Config, 'envFile' | 'scale'>,
  { release, image, count }: { release: string; image: string; count: number },
): Promise<void> {
  const chosen: Record<string, string> = { [IMAGE_VARIABLE]: image, [RELEASE_VARIABLE]: release };
  const isSet = (await readEnvFile(envFile))[SCALE_VARIABLE] !== undefined;
  if (isSet || count !== scale) chosen[SCALE_VARIABLE] = String(count);
  await setInEnvFile(envFile, chosen);
}
