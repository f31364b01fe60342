/** Connections to Redis: the address, how long the server may be unreachable, and errors without credentials. */
import { isIP } from 'node:net';
import type { Redis, RedisOptions } from 'ioredis';

/** Address of a Redis server, and credentials. */
export interface RedisServer {
  /** Name in messages: no user, no password. */
  readonly name: string;
  readonly options: RedisOptions;
  /** Strings that must not be printed. */
  readonly secrets: readonly string[];
}

/** A command that the server has not answered after this time is sent again, on a new connection. */
const UNANSWERED_MS = 30_000;
const CONNECT_MS = 5000;
const LONGEST_DELAY_MS = 1000;
const EXPECTED =
  'expected redis://[user:password@]host[:port][/database], or rediss:// for TLS; in a user name and a password ' +
  'the characters / ? # @ : % are written as %2F %3F %23 %40 %3A %25';

/**
 * The server at a URL. No message repeats the URL, which may contain a password.
 * @param source name of the option or variable that holds the URL
 * @throws {Error} one line, if it is not the URL of a Redis server
 */
export function redisServer(url: string, source: string): RedisServer {
  const refuse = (why: string) => new Error(`${source}: ${why}; ${EXPECTED}`);
  let parsed: URL;
  let user: string;
  let password: string;
  try {
    parsed = new URL(url);
    [user, password] = [parsed.username, parsed.password].map(decodeURIComponent);
  } catch {
    throw refuse('not a URL');
  }
  const { protocol, hostname, port, pathname, search, hash } = parsed;
  if (protocol !== 'redis:' && protocol !== 'rediss:') throw refuse('not the URL of a Redis server');
  if (hostname === '') throw refuse('the URL names no host');
  // If a password contains one of these, the rest of it would be taken for a host name.
  const database = /^\/?(\d{0,5})$/.exec(pathname)?.[1];
  if (search !== '' || hash !== '' || database === undefined) throw refuse('there is more behind the host');
  const isEncrypted = protocol === 'rediss:';
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return {
    name: `${protocol}//${hostname}:${port || 6379}${database ? `/${database}` : ''}`,
    secrets: [password, parsed.password].filter((secret) => secret !== ''),
    options: {
      host,
      port: Number(port || 6379),
      db: Number(database),
      ...(user !== '' && { username: user }),
      ...(password !== '' && { password }),
      ...(isEncrypted && { tls: isIP(host) ? {} : { servername: host } }),
    },
  };
}

/** State during a connection. */
export interface Connection {
  readonly redis: Redis;
  /** Aborted if the server has been unreachable for too long. */
  readonly lost: AbortSignal;
}

export interface ConnectionOptions {
  /** Seconds that the server may be unreachable. */
  readonly patience: number;
  /** Called when the server becomes unreachable and when it is back. */
  readonly note: (line: string) => void;
}

/**
 * Connects to a server, passes the connection to `use` and closes it afterwards. If the server becomes unreachable, it waits, and
 * repeats what was not answered.
 * @throws {Error} one line, if the server cannot be reached initially, refuses the connection, or stays unreachable for longer
 * than `patience`
 */
export async function withRedis<T>(
  server: RedisServer,
  { patience, note }: ConnectionOptions,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const { Redis } = await importPeer(() => import('ioredis'));
  const lost = new AbortController();
  let isKnown = false;
  let awaySince: number | undefined;
  let reason = 'no answer';
  // BullMQ's second connection uses it too. Without a retry, pending commands fail.
  const retryStrategy = (times: number): number | null => {
    // The first connection fails immediately: the URL is probably wrong.
    if (!isKnown) return null;
    if (awaySince !== undefined && performance.now() - awaySince > 1000 * patience) lost.abort();
    return lost.signal.aborted ? null : Math.min(100 * times, LONGEST_DELAY_MS);
  };
  const redis = new Redis({
    ...server.options,
    lazyConnect: true,
    maxRetriesPerRequest: null,
    connectTimeout: CONNECT_MS,
    socketTimeout: UNANSWERED_MS,
    retryStrategy,
  });
  redis.on('error', (error) => {
    reason = reasonOf(error, server);
  });
  redis.on('close', () => {
    if (!isKnown || awaySince !== undefined) return;
    awaySince = performance.now();
    note(`${server.name} is away (${reason}); waiting for it for ${patience} s`);
  });
  redis.on('ready', () => {
    if (awaySince !== undefined) note(`${server.name} is back`);
    awaySince = undefined;
  });
  try {
    await redis.connect().catch(() => {
      const expected = `a Redis server${server.options.tls ? ' with TLS' : ''}`;
      throw new Error(`cannot use ${server.name}: ${reason}; expected ${expected}`);
    });
    await redis.select(server.options.db ?? 0); // ioredis ignores that there is no such database
    isKnown = true;
    return await use({ redis, lost: lost.signal });
  } catch (error) {
    if (!lost.signal.aborted) throw withoutSecrets(error, server);
    throw new Error(
      `${server.name} has been away for ${patience} s (${reason}): nothing of the run is lost, ` +
        'and the same command continues it when the server is back',
    );
  } finally {
    isKnown = false;
    redis.disconnect();
  }
}

/** An error that is safe to print: those of ioredis contain the failed commands, including AUTH. */
function withoutSecrets(error: unknown, server: RedisServer): unknown {
  const isReply = error instanceof Error && 'command' in error;
  return isReply ? new Error(`${server.name}: ${reasonOf(error, server)}`) : error;
}

function reasonOf(error: Error, { secrets }: RedisServer): string {
  const first = error instanceof AggregateError ? error.errors[0] : error; // for a host with several addresses
  const said = first.message || (first as NodeJS.ErrnoException).code || 'no answer';
  const message = said.replace(/^Unknown RESP type.*/, 'it answers in another protocol');
  return secrets.reduce((text, secret) => text.replaceAll(secret, '***'), message);
}

/**
 * Imports one of the two packages that only queues need. With DEBUG, which is read when they are loaded, ioredis would print all
 * commands, including the password.
 * @throws {Error} one line that says how to install them
 */
export async function importPeer<M>(load: () => Promise<M>): Promise<M> {
  const { DEBUG } = process.env;
  delete process.env.DEBUG;
  try {
    return await load();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error;
    throw new Error('grootvl queue needs the packages bullmq and ioredis: npm install bullmq ioredis');
  } finally {
    if (DEBUG !== undefined) process.env.DEBUG = DEBUG;
  }
}
