/** Prepares a custom backend for the suite. */
import { type Backend, type BackendDefinition, NotSupported } from './backend.js';
import { hostBackend } from './host_backend.js';
import { tfjsBackend } from './tfjs_backend.js';

/**
 * Makes a backend for {@link runConformance}.
 * @throws {Error} if the name contains a `_` (tfjs then finds no kernels), or a kernel's op is not declared
 */
export function defineBackend(definition: BackendDefinition): Backend {
  if (!/^[^_\s,]+$/.test(definition.name)) {
    throw new Error(
      `a backend is called ${JSON.stringify(definition.name)}: expected a name without _ or spaces`,
    );
  }
  if ('tfjs' in definition) return tfjsBackend(definition);
  if ('kernels' in definition) return hostBackend(definition);
  const { name, tolerance = 'float32', device = name, start, run, gradients, stop } = definition;
  return {
    name,
    tolerance,
    runsModels: false,
    start: async () => (await start?.()) ?? device,
    run,
    gradients:
      gradients ??
      (async (op) => {
        throw new NotSupported(`${name} gives no gradients of ${op}`);
      }),
    stop,
  };
}
