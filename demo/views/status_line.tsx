import { busy } from '../state/engine.js';
import { opened } from '../state/library.js';
import { milliseconds } from '../state/look.js';

/** What is being done, or what is open and how long its last prediction took. */
export function StatusLine() {
  const time = milliseconds.value === undefined ? '' : `, ${milliseconds.value.toFixed(0)} ms`;
  return (
    <p role="status" aria-busy={busy.value !== undefined}>
      {busy.value ?? `${opened.value?.title ?? 'No model is open'}${time}`}
    </p>
  );
}
