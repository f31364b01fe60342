/** The server of a queue, from the options or the environment. */
import { type Connection, type RedisServer, redisServer, withRedis } from '../queue/redis.js';
import { warn } from './backend.js';
import { BAD_USAGE, Failure } from './failure.js';

/** Options of all queue commands. */
export interface QueueFlags {
  readonly redis?: string;
  readonly name: string;
  readonly patience: number;
}

export const URL_VARIABLE = 'GROOTVL_REDIS_URL';

/** Connects to the server, passes the connection to `use` and closes it afterwards. */
export function withServer<T>(flags: QueueFlags, use: (connection: Connection) => Promise<T>): Promise<T> {
  return withRedis(serverOf(flags), { patience: flags.patience, note: warn }, use);
}

function serverOf({ redis }: QueueFlags): RedisServer {
  const url = redis ?? process.env[URL_VARIABLE];
  if (!url)
    throw new Failure(BAD_USAGE, `no Redis server is named: expected --redis <url>, or ${URL_VARIABLE}`);
  try {
    return redisServer(url, redis === undefined ? URL_VARIABLE : '--redis');
  } catch (error) {
    throw new Failure(BAD_USAGE, (error as Error).message);
  }
}
