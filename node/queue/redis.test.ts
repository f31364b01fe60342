/** Addresses of servers, and that errors do not contain credentials. */
import { execFileSync } from 'node:child_process';
import { inspect } from 'node:util';
import t from 'tap';
import { grootvlProcess } from '../../testing/command_line.js';
import { noRedis, RedisServer } from '../../testing/redis_server.js';
import { type ConnectionOptions, redisServer, withRedis } from './redis.js';

const QUIET: ConnectionOptions = { patience: 1, note: () => {} };
const SECRET = 's3cret/#?';
const ENCODED = encodeURIComponent(SECRET);

t.test('what a URL says', async (t) => {
  const { name, options } = redisServer(`rediss://me:${ENCODED}@redis.example:7000/3`, 'test');
  t.equal(name, 'rediss://redis.example:7000/3');
  t.match(options, { host: 'redis.example', port: 7000, db: 3, username: 'me', password: SECRET });
  t.match(options.tls, { servername: 'redis.example' });
  t.same(redisServer('rediss://127.0.0.1', 'test').options.tls, {}, 'an address is no name in TLS');
  t.match(redisServer('redis://localhost', 'test'), { name: 'redis://localhost:6379', options: { db: 0 } });
  t.match(redisServer('redis://[::1]:7000', 'test').options, { host: '::1', port: 7000 });
});

t.test('a URL that is none is refused, and not repeated', async (t) => {
  const urls: readonly (readonly [url: string, why: RegExp])[] = [
    ['', /not a URL/],
    ['me:s3cret@host', /not the URL of a Redis server/],
    ['https://me:s3cret@host', /not the URL of a Redis server/],
    ['redis://me:s3cret@', /./],
    ['redis://me:s3cret@host:99999', /not a URL/],
    ['redis://me:%s3cret@host', /not a URL/],
    ['redis://me:1/s3cret@host', /more behind the host/],
    ['redis://me:1#s3cret@host', /more behind the host/],
    ['redis://me:1?s3cret@host', /more behind the host/],
  ];
  for (const [url, why] of urls) {
    t.throws(() => redisServer(url, '--redis'), { message: why }, url);
    t.throws(
      () => redisServer(url, '--redis'),
      { message: /^--redis: (?!.*s3cret).*expected redis:\/\// },
      url,
    );
  }
});

t.test('a server', { skip: noRedis ?? false }, async (t) => {
  const folder = t.testdir({ open: {}, closed: {}, tls: {} });
  const ask = (url: string, options = QUIET) =>
    withRedis(redisServer(url, 'test'), options, ({ redis }) => redis.ping());

  await t.test('without credentials, or with others, it refuses', async (t) => {
    const settings = ['--requirepass', SECRET];
    const server = await RedisServer.start(`${folder}/closed`, { settings, credentials: `:${ENCODED}@` });
    t.teardown(() => server.stop());
    t.equal(await ask(server.url), 'PONG');
    const wrong = server.url.replace(ENCODED, 'wr0ng');
    const error = await ask(wrong).catch((error) => error);
    t.match(error.message, /^cannot use redis:\/\/127\.0\.0\.1:\d+: WRONGPASS/);
    t.notMatch(inspect(error, { depth: 9, showHidden: true }), /wr0ng/);
    await t.rejects(ask(server.url.replace(`:${ENCODED}@`, '')), { message: /NOAUTH/ });
    await t.rejects(ask(`${server.url}/99`), {
      message: /^redis:\/\/127\.0\.0\.1:\d+\/99: ERR DB index is out of range$/,
    });

    // What a user sees, including stacks and all properties of errors.
    for (const url of [wrong, server.url]) {
      for (const where of [['--redis', url], []]) {
        const env = { GROOTVL_REDIS_URL: url, DEBUG: '*' };
        const args = ['--debug', 'queue', 'status', '--name', 'none', ...where];
        const { status, stdout, stderr } = await grootvlProcess({ env }, ...args);
        t.equal(status, 1);
        t.match(stderr, url === wrong ? /WRONGPASS/ : /there is no run 'none'/);
        t.notMatch(stdout + stderr, /wr0ng|s3cret/);
      }
    }
  });

  await t.test('TLS is spoken to rediss://, with a certificate that is trusted', async (t) => {
    const key = `${folder}/tls/key.pem`;
    const certificate = `${folder}/tls/certificate.pem`;
    const words = `req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost`;
    execFileSync('openssl', [...words.split(' '), '-keyout', key, '-out', certificate], { stdio: 'ignore' });
    const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate];
    const settings = [...files, '--tls-auth-clients', 'no', '--requirepass', SECRET];
    const options = { settings, protocol: 'rediss', credentials: `:${ENCODED}@` } as const;
    const server = await RedisServer.start(`${folder}/tls`, options);
    t.teardown(() => server.stop());
    const url = server.url.replace('127.0.0.1', 'localhost');
    await t.rejects(ask(url), { message: /^cannot use rediss:\/\/localhost:\d+: self-signed certificate/ });
    const env = { GROOTVL_REDIS_URL: url, NODE_EXTRA_CA_CERTS: certificate };
    const { stderr } = await grootvlProcess({ env }, 'queue', 'status', '--name', 'none');
    t.match(stderr, /there is no run 'none'/);
  });

  await t.test('that is away is waited for, and then there is one line', async (t) => {
    const server = await RedisServer.start(`${folder}/open`);
    t.teardown(() => server.stop());
    const notes: string[] = [];
    const note = (line: string) => notes.push(line);
    const answer = withRedis(redisServer(server.url, 'test'), { patience: 20, note }, async ({ redis }) => {
      await server.stop();
      const asked = redis.incr('count');
      await server.start();
      return asked;
    });
    t.equal(await answer, 1);
    t.match(notes, [/is away .*waiting for it for 20 s$/, /is back$/]);
    const away = withRedis(redisServer(server.url, 'test'), QUIET, async ({ redis, lost }) => {
      await server.stop();
      await t.rejects(redis.incr('count'));
      t.equal(lost.aborted, true);
      throw new Error('of the abandoned command');
    });
    await t.rejects(away, {
      message: /has been away for 1 s \(connect ECONNREFUSED .*\): nothing of the run is lost/,
    });
    await t.rejects(ask(server.url), { message: /^cannot use redis:.*: connect ECONNREFUSED/ });
  });
});
