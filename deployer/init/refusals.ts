import { isMapping, type ComposeFile } from '../config.ts';
import type { Values } from '../fill-in.ts';
import { scaleOf } from '../scale.ts';
import type { Plain } from './survey.ts';

/** What would not work with two releases side by side, each with what to do. */
export function refusals(
  service: string,
  services: Record<string, Plain | null>,
  documents: ComposeFile[],
  values: Values,
): string[] {
  const app = services[service] ?? {};
  const { network_mode: mode, profiles } = app;
  const at = `services.${service}`;
  const problems: string[] = [];
  if (app.build === undefined && typeof app.image !== 'string')
    problems.push(`${at} has neither build: nor image: in these files; give it one of them`);
  if (mode !== undefined)
    problems.push(
      `${at}.network_mode is ${JSON.stringify(mode)}: take it out; each release needs an address of its own, so that two can listen on the same port`,
    );
  const fixed = fixedAddresses(app);
  if (fixed.length)
    problems.push(
      `${at} has a fixed address (${fixed.join(', ')}), which two releases cannot share: take it out`,
    );
  if (scaleOf(app, values) !== 1)
    problems.push(`${at} is to have several containers (deploy.replicas or scale): set it to 1`);
  if (profiles !== undefined)
    problems.push(
      `${at}.profiles: take it out, or docker compose up -d starts a proxy and nothing behind it`,
    );
  for (const [name, one] of Object.entries(services)) {
    if (one?.network_mode === `service:${service}`)
      problems.push(
        `services.${name}.network_mode is service:${service}: it would lose its network with each release; give it one of its own`,
      );
  }
  if (services.proxy !== undefined && services['tasuki-proxy'] !== undefined)
    problems.push('the services "proxy" and "tasuki-proxy" are there already: rename one of them');
  for (const { networks } of documents) {
    const byDefault = isMapping(networks) ? networks.default : undefined;
    const kind = isMapping(byDefault) ? ['external', 'internal'].find((word) => byDefault[word]) : undefined;
    if (kind)
      problems.push(
        `networks.default is ${kind}: give that network another name; the proxy finds the releases on the project's own network`,
      );
  }
  return problems;
}

function fixedAddresses({ networks, mac_address: mac }: Plain): string[] {
  const all = isMapping(networks) ? Object.entries(networks) : [];
  const words = ['ipv4_address', 'ipv6_address', 'mac_address'];
  const found = all.flatMap(([network, settings]) =>
    isMapping(settings)
      ? words.filter((word) => settings[word]).map((word) => `networks.${network}.${word}`)
      : [],
  );
  return mac === undefined ? found : [...found, 'mac_address'];
}
