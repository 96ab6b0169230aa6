import type { Config } from '../config.ts';
import type { Observed } from '../core/observe.ts';
import { planProxyTidy } from '../proxy/plan.ts';
import type { Engine } from '../engine/docker.ts';
import { DeployError, EXIT, type ExitCode } from '../errors.ts';
import { usage } from '../cli-values.ts';
import { newReleaseId } from '../release-id.ts';
import { change, type Globals, type Wish } from '../run.ts';
import { isH2o } from '../proxy/service.ts';
import { PROXY_COMMAND } from '../store/history.ts';

/**
 * `deploy --service proxy [--image nginx:1.31]`: replaces the proxy's own container without losing a request. Without an image the
 * one that Compose would use now: then it puts changed templates, variables and services of compose.yaml in use.
 */
export async function handOverProxy(
  globals: Globals,
  { service, image }: { service: string; image?: string | undefined },
): Promise<ExitCode> {
  const command = `deploy --service ${service}${image === undefined ? '' : ` --image ${image}`}`;
  return await change(globals, command, async (observed: Observed, engine: Engine, config: Config) => {
    // A handover that was killed behind its switch is finished first, and its image written down.
    const left = planProxyTidy(observed.proxies).find((step) => step.do === 'proxy-remember');
    const named = config.proxy && { ...config.proxy, ...(left && { image: left.image }) };
    return wishOf(await wanted(engine, { ...config, proxy: named }, service, image));
  });
}

interface Wanted {
  image: string;
  pull: boolean;
  remember: boolean;
}

function wishOf(of: Wanted): Wish {
  const handover = newReleaseId();
  return {
    command: PROXY_COMMAND,
    release: handover,
    image: of.image,
    desired: { kind: 'proxy', handover, ...of },
  };
}

async function wanted(
  engine: Engine,
  { settings, proxy, files }: Config,
  service: string,
  asked: string | undefined,
): Promise<Wanted> {
  if (service !== settings.proxy)
    throw usage(
      `--service takes "${settings.proxy}", not "${service}"; the app is handed over without it: deploy --image NAME:TAG`,
    );
  if (settings.pod === settings.proxy) {
    throw new DeployError({
      code: 'PROXY_HAS_THE_PORT',
      exit: EXIT.config,
      what: `service "${service}" has the published port itself, so that no second one can take over from it`,
      subject: files.join(', '),
      next: `docker compose up -d --force-recreate ${service}   (some seconds without an answer)`,
    });
  }
  if (!proxy) {
    throw new DeployError({
      code: 'NO_PROXY',
      exit: EXIT.config,
      what: `services.${service} is missing, or has no image (x-deploy.proxy names it)`,
      subject: files.join(', '),
      next: 'take the service from the compose.yaml of this project, or name yours in x-deploy.proxy',
    });
  }
  if (isH2o(proxy.image)) {
    throw new DeployError({
      code: 'PROXY_RELOADS_ITSELF',
      exit: EXIT.usage,
      what: `${proxy.image} is replaced within its container, which keeps its listening sockets`,
      next: `docker compose kill -s HUP ${service}   loses no request; another version is built with: docker compose build ${service}`,
    });
  }
  const image = asked ?? proxy.image;
  const remember = image !== proxy.image;
  if (remember && proxy.variable === null) {
    throw new DeployError({
      code: 'PROXY_IMAGE_IS_FIXED',
      exit: EXIT.config,
      what: `docker compose up would go back to ${proxy.image}: its file fixes the image of ${service}`,
      subject: files.join(', '),
      next: `write there, under services.${service}:  image: \${PROXY_IMAGE:-${proxy.image}}`,
    });
  }
  return { image, pull: !(await engine.imageId(image)), remember };
}
