import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { merge, type ComposeFile } from '../../deployer/config.ts';
import { lookAt, type Asked, type Found, type Survey } from '../../deployer/init/survey.ts';
import { overrideText } from '../../deployer/init/text.ts';
import { deploySchema } from '../../deployer/schema.ts';
import { checkServices } from '../../deployer/services.ts';
import { parseYaml } from '../../deployer/yaml.ts';

const WEB = 'services: { web: { build: ., ports: ["80:3000"] } }';

function look(yaml: string, asked: Asked = {}, values: Record<string, string> = {}): Found {
  return lookAt([parseYaml(yaml) as ComposeFile], asked, { project: 'shop', values });
}
function survey(yaml: string, asked: Asked = {}, values: Record<string, string> = {}): Survey {
  const found = look(yaml, asked, values);
  assert.deepEqual(found.problems, []);
  assert.ok(found.survey);
  return found.survey;
}
/** The service of the project with its one change. */
function web(more: string, others = ''): string {
  return `services: { web: { build: ., ports: ["80:3000"], ${more} } ${others && `, ${others}`} }`;
}

describe('what deploy init finds out', () => {
  const shapes: [what: string, yaml: string, wanted: Partial<Survey>][] = [
    ['ports in the short syntax', WEB, { service: 'web', port: '3000', ports: ['80:80'] }],
    [
      'with an address',
      'services: { web: { build: ., ports: ["127.0.0.1:8080:3000/tcp"] } }',
      { port: '3000', ports: ['127.0.0.1:8080:80'] },
    ],
    [
      'with an IPv6 address',
      'services: { web: { build: ., ports: ["[::1]:8080:3000"] } }',
      { ports: ['[::1]:8080:80'] },
    ],
    [
      'in the long syntax',
      'services: { web: { build: ., ports: [{ target: 3000, published: "8080", host_ip: 127.0.0.1 }] } }',
      { port: '3000', ports: ['127.0.0.1:8080:80'] },
    ],
    [
      'with variables, as they are written',
      'services: { web: { build: ., ports: ["${PORT:-80}:${APP_PORT:-3000}"] } }',
      { port: '${APP_PORT:-3000}', ports: ['${PORT:-80}:80'] },
    ],
    [
      'one port in two places',
      'services: { web: { build: ., ports: ["80:3000", "8080:3000"] } }',
      { ports: ['80:80', '8080:80'] },
    ],
    [
      'a port that nobody chose',
      'services: { web: { build: ., ports: [3000] } }',
      { port: '3000', ports: ['${HTTP_PORT:-8080}:80'] },
    ],
    [
      'expose alone',
      'services: { web: { build: ., expose: ["3000"] } }',
      { port: '3000', ports: ['${HTTP_PORT:-8080}:80'] },
    ],
    [
      'the service that is both built and published, beside a database that is published',
      web('', 'db: { image: "mysql:9.7", ports: ["3306:3306"] }'),
      { service: 'web' },
    ],
    [
      'an image of a registry',
      'services: { shop: { image: acme/shop, ports: ["80:80"] } }',
      { service: 'shop', image: 'acme/shop:latest', isBuilt: false },
    ],
    ['an image whose tag is a variable', web('image: "acme/shop:${TAG:-7}"'), { image: 'acme/shop:7' }],
    ['an image that is built', WEB, { image: 'shop-web:v1', isBuilt: true }],
    [
      'who is given all of .env',
      web(
        'env_file: [./.env, more.env]',
        'a: { image: a, env_file: [{ path: .env }] }, b: { env_file: b.env }',
      ),
      { takeEnv: ['web', 'a'] },
    ],
    ['a service that is called proxy', web('', 'proxy: { image: squid }'), { proxy: 'tasuki-proxy' }],
    [
      'settings of its own, which stay',
      web('init: false, restart: always, logging: { driver: journald }'),
      { lacks: { init: false, restart: false, logging: false } },
    ],
  ];
  for (const [what, yaml, wanted] of shapes) {
    it(`reads ${what}`, () => {
      const found = survey(yaml);
      for (const [key, value] of Object.entries(wanted)) assert.deepEqual(found[key as keyof Survey], value);
    });
  }

  it('takes the word of the command line', () => {
    const yaml = web('', 'api: { build: ./api, ports: ["81:4000", "9229:9229"] }');
    const found = survey(yaml, { service: 'api', port: '4000', health: '/readyz' });
    assert.deepEqual([found.service, found.port, found.ports], ['api', '4000', ['81:80']]);
    assert.equal(found.health, '/readyz');
    const { notes } = look(yaml, { service: 'api', port: '4000' });
    assert.ok(notes.some((note) => note.includes('9229')));
  });

  const refused: [what: string, yaml: string, words: RegExp, asked?: Asked][] = [
    ['two candidates', web('', 'api: { build: ., ports: ["81:80"] }'), /web, api.*--service web/],
    ['nothing to go by', 'services: { db: { image: mysql } }', /--service db/],
    ['no services', '{}', /no service/],
    ['a service that is not there', WEB, /no service "app"; there are: web/, { service: 'app' }],
    [
      'several ports',
      'services: { web: { build: ., ports: ["80:3000", "9229:9229"] } }',
      /3000, 9229.*--port 3000/,
    ],
    ['no port at all', 'services: { web: { build: . } }', /names no port.*--port 3000/],
    ['a range of ports', 'services: { web: { build: ., ports: ["3000-3005:3000-3005"] } }', /not one port/],
    ['a port of UDP', 'services: { web: { build: ., ports: ["53:53/udp"] } }', /53\/udp.*HTTP/],
    ['an app that speaks TLS', 'services: { web: { build: ., ports: ["443:3443"] } }', /plain HTTP/],
    ['a word that is no port', WEB, /--port takes/, { port: 'http' }],
    ['a path that is none', WEB, /--health takes/, { health: 'readyz' }],
    ['the network of the machine', web('network_mode: host'), /network_mode is "host"/],
    ['a fixed address', web('networks: { front: { ipv4_address: 10.0.0.5 } }'), /front\.ipv4_address/],
    ['several containers', web('deploy: { replicas: 3 }'), /set it to 1/],
    ['a profile', web('profiles: [dev]'), /profiles/],
    [
      'a companion in its network',
      web('', 'tail: { image: x, network_mode: "service:web" }'),
      /services\.tail\.network_mode/,
    ],
    ['neither build nor image', 'services: { web: { ports: ["80:3000"] } }', /neither build: nor image:/],
    [
      'a default network of others',
      `${WEB}\nnetworks: { default: { external: true } }`,
      /default is external/,
    ],
  ];
  for (const [what, yaml, words, asked] of refused) {
    it(`refuses ${what}, and says what to do`, () => {
      const { problems, survey: none } = look(yaml, asked);
      assert.equal(none, null);
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0]!, words);
    });
  }

  it('names all that is in the way at once', () => {
    const { problems } = look(web('network_mode: host, profiles: [a], deploy: { replicas: 2 }'));
    assert.equal(problems.length, 3);
  });

  const told: [what: string, yaml: string, words: RegExp][] = [
    ['code that is mounted', web('volumes: [".:/srv", "/srv/node_modules"]'), /\.:\/srv: mounted from this/],
    ['a volume that both write to', web('volumes: ["data:/data"]'), /data:\/data: two releases.*SQLite/],
    [
      'a service that asks it by name',
      web('', 'mail: { image: m, environment: { SHOP: "http://web:3000/api" } }'),
      /mail knows "web".*http:\/\/proxy/,
    ],
    ['the name of its container', web('container_name: shop'), /container_name is taken away/],
    ['networks of its own', web('networks: [front]'), /default network/],
    ['a variable that deploy sets', web('environment: ["RELEASE=3"]'), /RELEASE of/],
  ];
  for (const [what, yaml, words] of told) {
    it(`says what to know of ${what}, and nothing of it elsewhere`, () => {
      assert.ok(look(yaml).notes.some((note) => words.test(note)));
      assert.ok(!look(WEB).notes.some((note) => words.test(note)));
    });
  }
});

describe('the file that deploy init writes', () => {
  const projects = [
    WEB,
    web('env_file: .env', 'a: { image: a, env_file: .env }'),
    web('container_name: shop, networks: [front]'),
    web('', 'proxy: { image: squid }'),
  ];
  for (const yaml of projects) {
    it(`makes the project meet every rule: ${yaml}`, () => {
      const documents = [yaml, overrideText(survey(yaml), 'compose.yaml')].map(
        (text) => parseYaml(text) as ComposeFile,
      );
      const merged = merge(documents);
      const settings = deploySchema.parse(merged['x-deploy']);
      assert.deepEqual(checkServices(merged.services ?? {}, settings), []);
      const own = checkServices(documents[0]?.services ?? {}, settings);
      assert.notDeepEqual(own, [], 'without it the project must break some');
    });
  }

  it('says of every setting what it is for', () => {
    const lines = overrideText(survey(web('container_name: shop')), 'compose.yaml').split('\n');
    const settings = lines.filter((line) => line.trim() && !/^\s*([\w-]+:|#.*)$/.test(line));
    const bare = settings.filter((line) => !/ # \S/.test(line));
    const above = (line: string): boolean => /^\s*#/.test(lines[lines.indexOf(line) - 1] ?? '');
    assert.deepEqual(
      bare.filter((line) => !above(line)),
      [],
    );
    assert.ok(settings.length > 30);
  });

  it('keeps what a deploy writes to .env from every container that is given all of .env', () => {
    const yaml = web('env_file: .env', 'a: { image: a, env_file: .env }, b: { image: b }');
    const { services } = parseYaml(overrideText(survey(yaml), 'compose.yaml')) as {
      services: Record<string, { environment: Record<string, string> }>;
    };
    for (const name of ['web', 'a'])
      for (const variable of ['TASUKI_IMAGE', 'TASUKI_RELEASE', 'TASUKI_SCALE'])
        assert.equal(services[name]?.environment[variable], '');
    assert.deepEqual(Object.keys(services), ['web', 'a', 'proxy']);
  });

  it('asks for the health path during a deploy too, and never for the home page, which maintenance closes', () => {
    const of = (health: string): unknown => {
      const written = parseYaml(overrideText({ ...survey(WEB), health }, 'compose.yaml')) as {
        'x-deploy': { probe: string };
        services: { proxy: { environment: { PROBE_PATH: string } } };
      };
      return [written['x-deploy'].probe, written.services.proxy.environment.PROBE_PATH];
    };
    assert.deepEqual(of('/'), ['/healthz', '/healthz']);
    assert.deepEqual(of('/readyz'), ['/readyz', '/readyz']);
  });
});
