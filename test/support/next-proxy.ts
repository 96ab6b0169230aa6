import { execa } from 'execa';

const BUILD_MS = 60_000;

/** An image of the proxy's that is not the one of compose.yaml; gives its name. */
export async function buildNextProxy(): Promise<string> {
  const tag = 'tasuki-test:nginx-next';
  const input = 'FROM nginx:1.30\nLABEL tasuki.test=next\n';
  await execa('docker', ['build', '-q', '-t', tag, '-'], { input, timeout: BUILD_MS });
  return tag;
}
