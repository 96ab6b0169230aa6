import { isIP } from 'node:net';
import type Docker from 'dockerode';
import { daysLeft, servedCertificate, type Certificate } from '../certificate.ts';
import { RECORD_FILE, RUN_DIR, type ReleaseRecord, type State } from '../contract.ts';
import { Probe, type Answer } from '../probe.ts';
import { wordsOf } from '../strategy.ts';
import { fail, ok, warn, type Check, type Verdict } from './check.ts';
import type { Facts } from './facts.ts';

/** A running instance as it describes itself; `state` is null when it does not answer. */
export interface Running {
  name: string;
  release: string;
  state: State | null;
}

const AGAIN = 'deploy again: it tidies up';

/** Exactly one release is on the port, and it is the one the record names. */
export function judgeServing(record: ReleaseRecord | null, running: Running[]): Verdict {
  const releases = [
    ...new Set(running.filter((one) => one.state?.phase === 'serving').map((one) => one.release)),
  ];
  const [release] = releases;
  if (release === undefined)
    return fail('no instance serves', 'deploy logs   shows why; docker compose up -d starts what is stopped');
  if (releases.length > 1)
    return fail(`${releases.length} releases serve at once: ${releases.join(', ')}`, AGAIN);
  if (!record)
    return fail(
      `release ${release} serves, but there is no record of it`,
      'see that the app may write to /run/tasuki (uid), then restart it',
    );
  if (record.serving !== release)
    return fail(`release ${release} serves, the record names ${record.serving}`, AGAIN);
  return ok(`release ${release} serves, and no other (record of ${record.at})`);
}

/** Every instance answers its control command and has lost no process; one without such a command is judged by its answers. */
export function judgeContract(running: Running[], hasControl = true): Verdict {
  const mute = running.filter((one) => !one.state);
  if (mute.length && !hasControl)
    return fail(
      `cannot be looked at: ${mute.map((one) => one.name).join(', ')}`,
      'docker compose ps   and   deploy logs',
    );
  if (mute.length) {
    return fail(
      `no answer to the control command: ${mute.map((one) => one.name).join(', ')}`,
      'the image must follow docs/contract.md; x-deploy.ctl names the command; deploy logs shows what it says',
    );
  }
  const complaints = running.flatMap(({ name, state }) => {
    if (state!.problem) return [`${name}: ${state!.problem}`];
    const away = state!.children.filter((child) => !child.ready).length;
    if (away) return [`${name}: ${away} of ${state!.children.length} processes are not ready`];
    return state!.restarts ? [`${name}: ${state!.restarts} processes ended by themselves`] : [];
  });
  if (complaints.length)
    return warn(`instances complain: ${complaints.join('; ')}`, 'deploy logs   shows what they say');
  const phases = running.map(({ release, state }) => `${release} ${state!.phase}`).join(', ');
  return ok(
    `every instance ${hasControl ? 'answers its control command' : 'answers as it should'} (${phases})`,
  );
}

/** The kernel hands over only between listeners of one uid and one explicit address. */
export function judgeAddresses(running: Running[]): Verdict {
  const asked = running.filter((one) => one.state !== null);
  const host = ({ state }: Running): string | null => ('path' in state!.listen ? null : state!.listen.host);
  const vague = asked.filter((one) => host(one) !== null && isIP(host(one)!) === 0);
  if (vague.length) {
    const hosts = vague.map((one) => `${one.name} "${host(one)}"`).join(', ');
    return fail(
      `bind address is not an explicit IP address: ${hosts}`,
      'compose.yaml: HOST: 127.0.0.1; a name may mean ::1 today and 127.0.0.1 tomorrow',
    );
  }
  const addresses = [...new Set(asked.map(({ state }) => wordsOf(state!.listen)))];
  const uids = [...new Set(asked.map(({ state }) => state!.uid))];
  const list = asked
    .map(({ release, state }) => `${release}: uid ${state!.uid}, ${wordsOf(state!.listen)}`)
    .join('; ');
  if (addresses.length > 1)
    return fail(
      `instances listen on different addresses, which do not hand over to each other (${list})`,
      'set HOST and PORT, or LISTEN, once, in compose.yaml; docker compose up -d; and deploy again',
    );
  if (uids.length > 1)
    return fail(
      `instances run under different uids, which cannot share an address (${list})`,
      'use one uid in every release (USER in the Dockerfile), and deploy again',
    );
  return ok(`uid ${uids[0]} and address ${addresses[0]} in all ${asked.length} instances`);
}

/** A container that shares the pod's network. */
export interface Joined {
  name: string;
  /** `container:<id>`, of the pod it was made for. */
  networkMode: string;
  /** ISO 8601. */
  startedAt: string;
}

/** Containers that joined the network of a pod that has been replaced or restarted since reach nobody. */
export function judgeNamespace(pod: { id: string; startedAt: string }, joined: Joined[]): Verdict {
  const since = Date.parse(pod.startedAt);
  const left = joined.filter(
    (one) => one.networkMode !== `container:${pod.id}` || Date.parse(one.startedAt) < since,
  );
  if (joined.length === 0) return ok('no container shares the network of another');
  if (left.length === 0) return ok(`${joined.length} containers are in the network of the pod that runs now`);
  const names = left.map((one) => one.name);
  const made = left.some((one) => one.networkMode !== `container:${pod.id}`);
  return fail(
    `in the network of a former pod: ${names.join(', ')}`,
    made ? 'docker compose up -d' : `docker restart ${names.join(' ')}`,
  );
}

/** What came back from the published port; `isNamed`: whoever serves there is to say by which release it is. */
export function judgePort(
  url: string | null,
  answer: Answer | null,
  known: string[],
  isNamed = true,
): Verdict {
  if (!url || !answer)
    return fail(
      'the pod publishes no port',
      'compose.yaml, service pod: ports: ["8080:80"]; then: docker compose up -d   (or set x-deploy.url)',
    );
  if (!answer.ok)
    return fail(
      `${url} does not answer as it should: ${answer.problem}`,
      'docker compose ps   and   docker compose logs proxy',
    );
  if (answer.release === null && !isNamed)
    return ok(`${url} answers; by which release, the proxy knows from the first deploy on`);
  if (answer.release === null) {
    return fail(
      `${url} answers, but without X-Release: it is something else, or the proxy drops the header`,
      'see what holds the port: ss -ltnp; set HTTP_PORT in .env to a free one',
    );
  }
  if (!known.includes(answer.release))
    return fail(
      `${url} is answered by release ${answer.release}, which is not of this project`,
      'see which project holds the port: docker ps; set HTTP_PORT in .env to a free one',
    );
  return ok(`${url} is answered by release ${answer.release}`);
}

/** Days before its end from which on somebody should look why nothing has renewed it; a renewal is usual 30 days before. */
const RENEW_DAYS = 14;

/** What visitors are shown who come with TLS; null where the pod does not speak it. */
export function judgeCertificate(shown: Certificate | null, now = Date.now()): Verdict {
  if (!shown) return ok('no port for https is published');
  if (shown.isSelfMade) return ok('the certificate for https is one for trying it: browsers warn of it');
  const left = daysLeft(shown, now);
  const advice = 'deploy certificate fullchain.pem privkey.pem   with a new one';
  const what = `for ${shown.names.join(', ')}, from ${shown.issuer}, until ${shown.until.slice(0, 10)}`;
  if (left < 0) return fail(`the certificate for https has expired: ${what}`, advice);
  return left < RENEW_DAYS
    ? warn(`the certificate for https ends in ${left} days: ${what}`, advice)
    : ok(`the certificate for https is ${what}`);
}

function runningOf({ instances }: Facts): Running[] {
  return instances.filter((one) => one.running);
}

async function port({ url, config, instances, record }: Facts): Promise<Verdict> {
  if (!url) return judgePort(null, null, []);
  // An image that does not say it is told by its address, once there is a list of them.
  const isNamed = config.settings.ctl !== false || (record?.known.length ?? 0) > 0;
  const answer = await new Probe(new URL(config.settings.probe, url)).send(false);
  return judgePort(
    url,
    answer,
    instances.map((one) => one.release),
    isNamed,
  );
}

/** Only a port that is shared asks for one uid and one address. */
function checkAddresses(facts: Facts): Verdict {
  if (facts.config.settings.strategy === 'upstream') return ok('each release has an address of its own');
  return judgeAddresses(runningOf(facts));
}

function namespace({ pod, containers }: Facts): Verdict {
  const joined = containers
    .filter(
      (one: Docker.ContainerInspectInfo) =>
        one.State.Running && one.HostConfig.NetworkMode?.startsWith('container:'),
    )
    .map((one) => ({
      name: one.Name.slice(1),
      networkMode: one.HostConfig.NetworkMode!,
      startedAt: one.State.StartedAt,
    }));
  return judgeNamespace({ id: pod.Id, startedAt: pod.State.StartedAt }, joined);
}

function serving(facts: Facts): Verdict {
  const { recordProblem, record, config } = facts;
  const { pod, service } = config.settings;
  if (recordProblem)
    return fail(
      `the record of which release serves cannot be read: ${recordProblem}`,
      `docker compose exec ${pod} rm ${RUN_DIR}/${RECORD_FILE}; then: docker compose restart ${service}`,
    );
  return judgeServing(record, runningOf(facts));
}

async function certificate({ tlsUrl }: Facts): Promise<Verdict> {
  try {
    return judgeCertificate(tlsUrl === null ? null : await servedCertificate(tlsUrl));
  } catch (error) {
    return fail(`${tlsUrl} does not speak TLS: ${(error as Error).message}`, 'docker compose logs proxy');
  }
}

const NEEDS: Check['needs'] = ['engine', 'config', 'pod', 'serving'];

export const APP_CHECKS: Check[] = [
  { id: 'serving', title: 'release that serves', needs: [...NEEDS, 'idle'], run: serving },
  {
    id: 'contract',
    title: 'control command',
    needs: NEEDS,
    run: (facts) => judgeContract(runningOf(facts), facts.config.settings.ctl !== false),
  },
  { id: 'addresses', title: 'uid and bind address', needs: NEEDS, run: checkAddresses },
  { id: 'namespace', title: 'network of the pod', needs: NEEDS.slice(0, 3), run: namespace },
  { id: 'port', title: 'published port', needs: NEEDS.slice(0, 3), run: port },
  {
    id: 'certificate',
    title: 'certificate',
    needs: NEEDS.slice(0, 3),
    run: certificate,
  },
];
