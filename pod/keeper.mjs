// Starts again what the engine gave up on. After an engine start or a reboot Docker starts all containers side by side; one
// that shares the pod's network and comes before the pod fails ("cannot join network") and is never tried again
// (moby issue 11777). Nothing inside such a container can help itself, so this one looks every two seconds.
// It starts only containers of its own project whose last start failed while their pod now runs: what a person
// stopped, and what ended by itself, has no start error and stays as it is.

import http from 'node:http';
import { hostname } from 'node:os';

const SOCKET = '/var/run/docker.sock';
const EVERY_MS = 2000;
const TIMEOUT_MS = 10_000;
const LABEL = 'com.docker.compose.project';

/** One request to the engine; the parsed answer, or null when it has none. */
function engine(method, path) {
  return new Promise((resolve, reject) => {
    const options = { socketPath: SOCKET, method, path, agent: false, timeout: TIMEOUT_MS };
    const req = http.request(options, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (chunk) => (text += chunk));
      res.on('error', reject);
      res.on('end', () => {
        if (res.statusCode >= 400) reject(new Error(`${method} ${path}: ${res.statusCode} ${text.trim()}`));
        else resolve(text ? JSON.parse(text) : null);
      });
    });
    req.on('timeout', () => req.destroy(new Error(`no answer from the engine within ${TIMEOUT_MS} ms`)));
    req.on('error', reject);
    req.end();
  });
}

async function startWhatFailed(project) {
  const filters = JSON.stringify({ label: [`${LABEL}=${project}`], status: ['exited', 'created'] });
  for (const { Id } of await engine('GET', `/containers/json?all=1&filters=${encodeURIComponent(filters)}`)) {
    const { Name, State, HostConfig } = await engine('GET', `/containers/${Id}/json`);
    const pod = /^container:(.+)$/.exec(HostConfig.NetworkMode)?.[1];
    if (!State.Error || !pod) continue;
    const podRuns = await engine('GET', `/containers/${pod}/json`).then(
      (info) => info.State.Running,
      () => false, // the pod is gone: the project was taken down
    );
    if (!podRuns) continue;
    console.log(
      JSON.stringify({
        level: 'warn',
        time: new Date().toISOString(),
        msg: `starting ${Name.slice(1)}`,
        why: State.Error,
      }),
    );
    await engine('POST', `/containers/${Id}/start`);
  }
}

process.on('SIGTERM', () => process.exit(0));
const self = await engine('GET', `/containers/${hostname()}/json`);
for (;;) {
  await startWhatFailed(self.Config.Labels[LABEL]).catch((error) =>
    console.log(JSON.stringify({ level: 'error', msg: error.message })),
  );
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
}
