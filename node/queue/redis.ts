/** A connection to Redis: where it is, how long it may be away, and errors in which its credentials never are. */
import type { Redis, RedisOptions } from 'ioredis';

/** Where a Redis server is, and who asks. */
export interface RedisServer {
  /** As messages name it: no user, no password. */
  readonly name: string;
  readonly options: RedisOptions;
  /** What must not be printed. */
  readonly secrets: readonly string[];
}

/** A command that a server has not answered for so long is sent again, on a new connection. */
const UNANSWERED_MS = 30_000;
const CONNECT_MS = 5000;
const LONGEST_DELAY_MS = 1000;
const EXPECTED =
  'expected redis://[user:password@]host[:port][/database], or rediss:// for TLS; in a user name and a password ' +
  'the characters / ? # @ : % are written as %2F %3F %23 %40 %3A %25';

/**
 * The server that a URL names. No message repeats the URL, which may hold a password.
 * @param source names the option or variable that holds the URL
 * @throws {Error} one line, when it is not the URL of a Redis server
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
  // With one of these in a password, what is left of it would be taken for a host's name.
  const database = /^\/?(\d{0,5})$/.exec(pathname)?.[1];
  if (search !== '' || hash !== '' || database === undefined) throw refuse('there is more behind the host');
  const isEncrypted = protocol === 'rediss:';
  return {
    name: `${protocol}//${hostname}:${port || 6379}${database ? `/${database}` : ''}`,
    secrets: [password, parsed.password].filter((secret) => secret !== ''),
    options: {
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(port || 6379),
      db: Number(database),
      ...(user !== '' && { username: user }),
      ...(password !== '' && { password }),
      ...(isEncrypted && { tls: { servername: hostname } }),
    },
  };
}

/** What lasts as long as a connection. */
export interface Connection {
  readonly redis: Redis;
  /** Aborted when the server has been away for too long. */
  readonly lost: AbortSignal;
}

export interface ConnectionOptions {
  /** How long the server may be away, seconds. */
  readonly patience: number;
  /** Told when the server goes away and when it is back. */
  readonly note: (line: string) => void;
}

/**
 * Connects for as long as `use` works. A server that goes away is waited for, and what it has not answered is sent again.
 * @throws {Error} one line, when the server cannot be reached at first, refuses, or stays away for longer than `patience`
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
  // BullMQ's second connection asks it too. Without another try, commands that wait for an answer fail.
  const retryStrategy = (times: number): number | null => {
    // The first connection fails at once: more often than not the URL is wrong.
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
      throw new Error(`cannot use ${server.name}: ${reason}; expected a Redis server`);
    });
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

/** An error as it may be printed: those of ioredis hold the commands that failed, AUTH among them. */
function withoutSecrets(error: unknown, server: RedisServer): unknown {
  const isReply = error instanceof Error && 'command' in error;
  return isReply ? new Error(`${server.name}: ${reasonOf(error, server)}`) : error;
}

function reasonOf(error: Error, { secrets }: RedisServer): string {
  const first = error instanceof AggregateError ? error.errors[0] : error; // of a host with several addresses
  const said = first.message || (first as NodeJS.ErrnoException).code || 'no answer';
  const message = said.replace(/^Unknown RESP type.*/, 'it answers in another protocol');
  return secrets.reduce((text, secret) => text.replaceAll(secret, '***'), message);
}

/**
 * Imports one of the two packages that only queues need.
 * @throws {Error} one line that says how they are installed
 */
export async function importPeer<M>(load: () => Promise<M>): Promise<M> {
  try {
    return await load();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error;
    throw new Error('grootvl queue needs the packages bullmq and ioredis: npm install bullmq ioredis');
  }
}
