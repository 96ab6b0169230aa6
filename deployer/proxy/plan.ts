import { shortImage } from '../image.ts';
import type { Plan } from '../core/plan.ts';
import type { Proxy } from './observe.ts';

/** The steps by which the proxy itself is handed over. */
export type ProxyStep = { id: string; cause: string } & (
  | { do: 'proxy-pull'; image: string }
  | { do: 'proxy-create'; image: string; scale: number }
  | { do: 'proxy-test'; handover: string }
  | { do: 'proxy-rehearse'; handover: string }
  | { do: 'proxy-start' }
  | { do: 'proxy-confirm' }
  | { do: 'proxy-leave'; targets: string[] }
  | { do: 'proxy-remember'; image: string }
  | { do: 'proxy-retire'; target: string; name: string }
);

/** A handover that is wanted. */
export interface ProxyWish {
  kind: 'proxy';
  /** Names the run, as a release names a deploy. */
  handover: string;
  image: string;
  pull: boolean;
  /** `.env` must be told of the image, or `docker compose up` would start another. */
  remember: boolean;
}

/**
 * The plan of a handover. Both generations listen from `proxy-start` on; `proxy-leave`, after which the old one takes no new
 * connection, is the pivot: before it all can be undone, and from it on the new one alone serves.
 */
export function planProxy(wish: ProxyWish, proxies: Proxy[]): Omit<Plan, 'tidy'> {
  const { image, handover } = wish;
  const gone = new Set(planProxyTidy(proxies).map((step) => (step.do === 'proxy-retire' ? step.target : '')));
  const old = proxies.filter(({ id }) => !gone.has(id));
  const reversible: ProxyStep[] = [
    {
      id: 'create',
      do: 'proxy-create',
      image,
      scale: old.length + 1,
      cause: 'by Compose, from its files as they are now',
    },
    {
      id: 'test',
      do: 'proxy-test',
      handover,
      cause: 'a broken configuration is told here, and harms nobody',
    },
    {
      id: 'rehearse',
      do: 'proxy-rehearse',
      handover,
      cause: 'the app must answer behind it, on ports of its own',
    },
    { id: 'start', do: 'proxy-start', cause: 'it takes its share of the new connections' },
    { id: 'confirm', do: 'proxy-confirm', cause: 'the old one leaves only for one that answers' },
  ];
  if (wish.pull)
    reversible.unshift({ id: 'pull', do: 'proxy-pull', image, cause: 'the image is not on this machine' });
  const running = old.filter((one) => one.running).map(({ id }) => id);
  const forward: ProxyStep[] = [
    ...(wish.remember ? [remember(image)] : []),
    ...old.map((one) => retire(one, 'it answers what it has begun, and ends')),
  ];
  const cause = 'it takes no more connections; those that wait go to the new one';
  const pivot: ProxyStep | null = running.length
    ? { id: 'leave', do: 'proxy-leave', targets: running, cause }
    : null;
  return { reversible, pivot, forward, watch: [] };
}

/**
 * What a killed handover left: all but one go, and the one that stays listens. Of several that do it is the oldest, which was not
 * to go before the new one was seen to answer. Nothing runs: nothing is touched.
 */
export function planProxyTidy(proxies: Proxy[]): ProxyStep[] {
  const [keep] = proxies.filter(({ visible, listens }) => visible && listens);
  const rest = proxies.filter((one) => one !== keep && (keep !== undefined || !one.visible));
  const steps: ProxyStep[] = rest.map((one) => retire(one, reason(one)));
  // One that went before the image was written down: the handover is finished.
  const before = rest.find(
    ({ id, visible }) => visible && proxies.findIndex((one) => one.id === id) < proxies.indexOf(keep!),
  );
  if (keep && before && before.image !== keep.image) steps.unshift(remember(keep.image));
  return steps;
}

function retire({ id, name }: Proxy, cause: string): ProxyStep {
  return { id: `retire:${name}`, do: 'proxy-retire', target: id, name, cause };
}

function remember(image: string): ProxyStep {
  return { id: 'remember', do: 'proxy-remember', image, cause: 'docker compose up -d must see what serves' };
}

function reason({ visible, running, listens, status }: Proxy): string {
  if (!visible) return 'a rehearsal that was not ended';
  if (listens) return 'a killed handover had not confirmed it';
  return running ? 'it was told to leave' : `left over (${status})`;
}

/** A step in a few words. */
export function describeProxyStep(step: ProxyStep): string {
  switch (step.do) {
    case 'proxy-pull':
      return `pull image ${step.image}`;
    case 'proxy-create':
      return `create a proxy of ${shortImage(step.image)}`;
    case 'proxy-test':
      return 'test its configuration';
    case 'proxy-rehearse':
      return 'rehearse beside the one that serves';
    case 'proxy-start':
      return 'start it on the same ports';
    case 'proxy-confirm':
      return 'see it answer on the public port';
    case 'proxy-leave':
      return 'let the old proxy leave the ports';
    case 'proxy-remember':
      return `write ${shortImage(step.image)} to .env`;
    case 'proxy-retire':
      return `retire ${step.name}`;
    default:
      return step satisfies never;
  }
}
