/**
 * The program of a thread: instantiates our modules on the shared memory, with a separate stack and static data, and then
 * serves the queue. scripts/embed_wasm.mjs bundles it into one file, thread_script.js.
 */
import { instantiateKernels, type KernelModules } from './instantiate.js';
import { type NativeFunction, ThreadQueue } from './thread_queue.js';

/** The message that starts a thread. */
export interface ThreadStart {
  readonly modules: KernelModules;
  readonly memory: WebAssembly.Memory;
  /** Address of the queue. */
  readonly queue: number;
  /** Address of a block that only this thread uses, see `instantiateKernels`. */
  readonly block: number;
}

/** Messages of a thread: it is ready for jobs; it has ended, so that its memory may be freed; or why it cannot start. */
export type ThreadMessage = 'started' | 'ended' | { readonly error: string };

interface Port {
  postMessage(message: ThreadMessage): void;
  onmessage?: ((event: { readonly data: ThreadStart }) => void) | null;
  on?(type: 'message', listener: (data: ThreadStart) => void): void;
}

function run(port: Port, { modules, memory, queue, block }: ThreadStart): void {
  let functions: NativeFunction[];
  try {
    functions = Object.values(instantiateKernels(modules, memory, block)) as NativeFunction[];
  } catch (error) {
    port.postMessage({ error: String(error) });
    return;
  }
  port.postMessage('started');
  new ThreadQueue(memory, queue).serve(functions);
  port.postMessage('ended');
}

// A worker of a page, or of Node.
const port = (
  'WorkerGlobalScope' in globalThis ? globalThis : process.getBuiltinModule('node:worker_threads').parentPort
) as Port;
if (port.on) port.on('message', (start) => run(port, start));
else port.onmessage = ({ data }) => run(port, data);
