/** A Redis server for benchmarks: an installed one, on a free port, in a separate folder. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

export interface RedisServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** @returns why there is none, if Redis is not installed */
export async function startRedis(folder: string): Promise<RedisServer | { readonly missing: string }> {
  const port = await freePort();
  const settings = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--appendonly', 'yes'];
  const server = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'ignore'] });
  const missing = await Promise.race([
    once(server, 'error').then(([error]) => `redis-server cannot be started: ${(error as Error).message}`),
    once(server, 'spawn').then(() => undefined),
  ]);
  if (missing !== undefined) return { missing };
  let log = '';
  for await (const text of server.stdout) {
    log += text;
    if (log.includes('Ready to accept connections')) break;
  }
  if (!log.includes('Ready to accept connections')) return { missing: `redis-server ended: ${log.trim()}` };
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: async () => {
      const end = once(server, 'exit');
      server.kill('SIGKILL');
      await end;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
