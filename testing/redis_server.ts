/** A Redis server for tests: the installed one, on a free port, with its files in a folder of the test. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** Why tests that need a Redis server are skipped; undefined if it is installed. */
export const noRedis: string | undefined =
  spawnSync('redis-server', ['--version']).status === 0 ? undefined : 'redis-server is not installed';

export interface RedisServerOptions {
  /** Additional command line arguments. */
  readonly settings?: readonly string[];
  /** The part `user:password@` of the URL. */
  readonly credentials?: string;
  readonly protocol?: 'redis' | 'rediss';
}

/** Stores its data in an append-only file, so that it can be killed and restarted. */
export class RedisServer {
  private process: ChildProcess | undefined;

  private constructor(
    private readonly folder: string,
    private readonly port: number,
    private readonly options: RedisServerOptions,
  ) {}

  static async start(folder: string, options: RedisServerOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(folder, await freePort(), options);
    await server.start();
    return server;
  }

  get url(): string {
    const { protocol = 'redis', credentials = '' } = this.options;
    return `${protocol}://${credentials}127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const { settings = [], protocol = 'redis' } = this.options;
    const ports = protocol === 'redis' ? ['--port', this.port] : ['--port', 0, '--tls-port', this.port];
    const own = ['--bind', '127.0.0.1', ...ports, '--dir', this.folder, '--appendonly', 'yes', '--save', ''];
    const server = spawn('redis-server', [...own.map(String), ...settings], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.process = server;
    let log = '';
    for await (const text of server.stdout) {
      log += text;
      if (log.includes('Ready to accept connections')) break;
    }
    if (server.exitCode !== null) throw new Error(`redis-server ended: ${log}`);
  }

  /** Stops it; SIGKILL gives no warning. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    const server = this.process;
    this.process = undefined;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const end = once(server, 'exit');
    server.kill(signal);
    await end;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
