import { IMAGE_VARIABLE, INITIAL_RELEASE, RELEASE_VARIABLE, SCALE_VARIABLE } from '../contract.ts';
import type { Survey } from './survey.ts';

/** What the proxy is asked for during a deploy where the app has no such path either: 404 is an answer too. */
const PROBE = '/healthz';
const LOGGING = "logging: { driver: local, options: { max-size: 10m, max-file: '3' } }";

/** The file that is written beside the user's own, every line with its reason. `base` is the file that it adds to. */
export function overrideText(survey: Survey, base: string): string {
  const { service, proxy, health } = survey;
  const probe = health === '/' ? PROBE : health;
  return `# Written by \`deploy init\`. Compose reads it after ${base}, which stays as it is; where both say something, this file wins.
# To be rid of it (some seconds without an answer): docker compose down --remove-orphans; then delete this file, proxy/nginx, proxy/common and
# the lines TASUKI_... of .env; then docker compose up -d${survey.isBuilt ? ' --build   (without --build Compose starts the last image of its own, from before)' : ''}

x-deploy: # for \`deploy\`; Compose does not look at it
  service: ${service} # replaced by each deploy
  pod: ${proxy} # has the published port; no deploy replaces it
  proxy: ${proxy} # is told which release serves
  strategy: upstream # each release has an address of its own; the proxy goes over to the next one when that is healthy
  ctl: false # the image need know nothing of all this; a release is judged by its answers
  health: ${health} # a release must answer this, below 400, before it meets a user
  probe: ${probe} # asked through the proxy all through a deploy, to count what failed; 404 is an answer too

services:
  ${service}:
    # \`deploy\` writes ${IMAGE_VARIABLE} to .env. Until then the image has the name after ":-".
    image: \${${IMAGE_VARIABLE}:-${survey.image}}
    ports: !reset [] # taken away, because the proxy has them now: two releases cannot publish the same port
${optional(survey)}    environment:
      RELEASE: \${${RELEASE_VARIABLE}:-} # tells the containers of two releases apart; the app need not read it
${survey.takeEnv.includes(service) ? withoutEnv : ''}    networks:
      default: # the project's own network, where the proxy is
        aliases: ['\${${RELEASE_VARIABLE}:-${INITIAL_RELEASE}}'] # the name by which the proxy finds exactly this release

${survey.takeEnv
  .filter((name) => name !== service)
  .map(otherText)
  .join('')}${proxyText(survey, probe)}
volumes: # of this machine; they outlive all containers
  tasuki-run:
  tasuki-certificates:
`;
}

/** Or else the next `docker compose up -d` would see a changed environment, and make the container anew. */
const withoutEnv = `      # All of .env is given to this container (env_file). What deploy writes there shall not change it:
${[IMAGE_VARIABLE, RELEASE_VARIABLE, SCALE_VARIABLE].map((name) => `      ${name}: '' # not given to it\n`).join('')}`;

function otherText(name: string): string {
  return `  ${name}:\n    environment:\n${withoutEnv}\n`;
}

function optional({ hasName, lacks }: Survey): string {
  const lines = [
    hasName && 'container_name: !reset null # taken away: two containers cannot have one name',
    lacks.init &&
      'init: true # passes the stop signal on; without it many apps (Node, Python) take 10 s to stop, and are killed then',
    lacks.restart && 'restart: unless-stopped # comes back after a crash and a reboot',
    lacks.logging && `${LOGGING} # a log has an end`,
  ];
  return lines.map((line) => (line ? `    ${line}\n` : '')).join('');
}

function proxyText({ service, proxy, port, ports }: Survey, probe: string): string {
  return `  ${proxy}: # nginx: all users come in here, and it stays while releases come and go
    extends: { file: ./proxy/nginx/service.yaml, service: proxy } # its image, command and configuration
    user: root # it keeps the record of the releases; nginx's workers, which meet the users, run without rights all the same
    restart: unless-stopped # comes back after a crash and a reboot
    ${LOGGING} # a log has an end
    depends_on: [${service}] # which gives the published port up first
    ports:
${ports.map((one) => `      - '${one}' # where the users of "${service}" come\n`).join('')}      # - '443:443' # https: take the first # away, docker compose up -d, deploy certificate fullchain.pem privkey.pem
    environment: # fills in the templates of the configuration
      APP_ADDRESS: ${service}:${port} # who answers before the first deploy, and the port of every release
      STRATEGY: upstream # as above
      PROBE_PATH: ${probe} # as above; reaches the app during \`deploy maintenance on\` too
      CLIENT_MAX_BODY_SIZE: 100m # larger uploads are answered 413
      UPSTREAM_KEEPALIVE: 0 # a connection for each request: none meets one that the app is just closing
      HTTPS_REDIRECT: '' # on: visitors without TLS are sent to where it is
      PUBLIC_TLS_PORT: 443 # where that is
      CERTIFICATE_FILE: /run/certificates/site.pem # one for trying it, until \`deploy certificate\` brings yours
      LISTEN_PORT: 80 # in this container
      TLS_PORT: 443 # the same for https
      STATUS_PORT: 8090 # for itself: which release is in service
      RUN_DIR: /run/tasuki # where the record is
      ASSETS_DIR: /srv/assets # static files that releases share; nothing is there as yet
      WORKER_PROCESSES: auto # one for each core
    volumes:
      - tasuki-run:/run/tasuki # the record of which release serves
      - tasuki-certificates:/run/certificates # the key and certificate of https
    tmpfs: ['/run/proxy:size=1m'] # the configuration, in memory: made anew at each start
`;
}
