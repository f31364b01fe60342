/** Tests variables that are assigned to between steps; on webgl and cuda: see gpu/. */
import t from 'tap';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { checkChangedVariables } from '../../testing/changed_variables.js';

for (const backend of BACKENDS) {
  t.test(backend, (t) => onBackend(backend, () => checkChangedVariables(t)));
}
