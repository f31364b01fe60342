/**
 * The program of a thread: our modules once more, on the memory of the first, with a stack and static data of their own,
 * and then whatever the queue offers. It is bundled into one file, thread_script.js, by scripts/embed_wasm.mjs.
 */
import { instantiateKernels, type KernelModules } from './instantiate.js';
import { type NativeFunction, ThreadQueue } from './thread_queue.js';

/** What a thread is told when it starts. */
export interface ThreadStart {
  readonly modules: KernelModules;
  readonly memory: WebAssembly.Memory;
  /** Of the queue. */
  readonly queue: number;
  /** Of a block that is this thread's alone, see `instantiateKernels`. */
  readonly block: number;
}

/** What it says: it is ready for jobs; it has ended, so that its memory may be freed; or why it cannot start. */
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

// A worker of a page, or one of Node.
const port = (
  'WorkerGlobalScope' in globalThis ? globalThis : process.getBuiltinModule('node:worker_threads').parentPort
) as Port;
if (port.on) port.on('message', (start) => run(port, start));
else port.onmessage = ({ data }) => run(port, data);
