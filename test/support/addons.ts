import { randomBytes } from 'node:crypto';
import { docker, eventually } from './containers.ts';
import { mysqlQuery, type Query } from './ledger.ts';

/** MySQL's first start on a slow disk. */
const DATABASE_MS = 240_000;
const PASSWORD = 'not+a/secret';

/** The add-ons of an app on a platform: containers on a network of their own, known by the URLs that a provider would set. */
export interface Addons extends AsyncDisposable {
  network: string;
  /** JAWSDB_URL. */
  databaseUrl: string;
  /** REDIS_URL: TLS, with a certificate that Redis made itself. */
  redisUrl: string;
  /** The same one, by a port without TLS. */
  plainRedisUrl: string;
  /** CACHE_URL of an app that has two. */
  cacheUrl: string;
  query: Query;
}

// Redis makes its certificate when it starts, as long as it lives the only one who knows it.
const REDIS = `cd /tmp && openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=self 2>/dev/null &&
exec redis-server --save '' --port 6379 --tls-port 6380 --tls-cert-file cert --tls-key-file key --tls-auth-clients no \\
--requirepass '${PASSWORD}' --maxmemory-policy noeviction`;

export async function startAddons(): Promise<Addons> {
  const network = `paas-${process.pid}-${randomBytes(3).toString('hex')}`;
  const [mysql, redis, cache] = [`${network}-mysql`, `${network}-redis`, `${network}-cache`];
  const remove = async (): Promise<void> => {
    for (const name of [mysql, redis, cache])
      await docker(['rm', '--force', '--volumes', name]).catch(() => '');
    await docker(['network', 'rm', network]).catch(() => '');
  };
  const start = (name: string, options: string[], image: string, command: string[]): Promise<string> =>
    docker(['run', '--detach', '--name', name, '--network', network, ...options, image, ...command]);
  const addressOf = (name: string): Promise<string> =>
    docker(['inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', name]);
  try {
    await docker(['network', 'create', network]);
    const account = { MYSQL_USER: 'jaws', MYSQL_PASSWORD: PASSWORD, MYSQL_DATABASE: 'heap' };
    const variables = Object.entries({ ...account, MYSQL_RANDOM_ROOT_PASSWORD: '1' });
    const env = variables.flatMap(([key, value]) => ['--env', `${key}=${value}`]);
    await Promise.all([
      start(mysql, env, 'mysql:9.7', ['mysqld', '--disable-log-bin', '--performance-schema=OFF']),
      start(redis, ['--user', 'redis'], 'redis:8.0', ['sh', '-c', REDIS]),
      start(cache, ['--user', 'redis'], 'redis:8.0', ['redis-server', '--save', '']),
    ]);
    const [host, redisHost, cacheHost] = await Promise.all([mysql, redis, cache].map(addressOf));
    const query = mysqlQuery({ host, user: 'jaws', password: PASSWORD, database: 'heap' });
    await eventually('the database answers', () => query('SELECT 1'), DATABASE_MS);
    const secret = encodeURIComponent(PASSWORD);
    return {
      network,
      databaseUrl: `mysql://jaws:${secret}@${host}:3306/heap?reconnect=true`,
      redisUrl: `rediss://:${secret}@${redisHost}:6380`,
      plainRedisUrl: `redis://:${secret}@${redisHost}:6379`,
      cacheUrl: `redis://${cacheHost}:6379`,
      query,
      async [Symbol.asyncDispose]() {
        await query[Symbol.asyncDispose]();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
