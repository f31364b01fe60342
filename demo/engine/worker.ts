/** The worker that holds the model: all long-running work is done here, so that the page stays responsive. */
import { expose } from 'comlink';
import * as backends from './backends.js';
import * as block from './block.js';
import { explained, wrapped } from './errors.js';
import * as library from './library.js';
import * as look from './look.js';
import * as measure from './measure.js';
import * as profiling from './profile.js';
import type { runSuite } from './suite.js';
import * as switching from './switch_backend.js';
import { carrySignals } from './transfer.js';
import * as write from './write.js';

/** The suite is loaded when it is first run. */
const suite = {
  runSuite: async (...given: Parameters<typeof runSuite>) => (await import('./suite.js')).runSuite(...given),
};

/** Calls the open model. If it fails because another model is opened in the meantime, it ends as if it had been aborted. */
async function whileOpen(ask: () => Promise<unknown>): Promise<unknown> {
  const closing = library.modelClosing();
  try {
    return await ask();
  } catch (error) {
    closing.throwIfAborted();
    throw error;
  }
}

/** The calls available to the page. Results are structured-cloneable; errors are one line that tells the user what to do. */
const engine = explained({
  ...backends.calls,
  ...library.calls,
  ...suite,
  ...switching.calls,
  ...wrapped(
    { ...block.calls, ...look.calls, ...measure.calls, ...profiling.calls, ...write.calls },
    whileOpen,
  ),
});
export type Engine = typeof engine;

carrySignals();
expose(engine);
