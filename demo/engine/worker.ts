/** The worker that holds the model: everything that takes time happens here, so that the page stays responsive. */
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

/** Asks the open model. What fails because another one is opened meanwhile ends as if it were aborted. */
async function whileOpen(ask: () => Promise<unknown>): Promise<unknown> {
  const closing = library.modelClosing();
  try {
    return await ask();
  } catch (error) {
    closing.throwIfAborted();
    throw error;
  }
}

/** What the page can ask for. Each answer is structured-clonable; an error has one line that a person can act on. */
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
