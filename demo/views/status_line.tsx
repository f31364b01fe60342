import type { Choice } from '../engine/backends.js';
import { choice, choose, memory, offers, running } from '../state/backends.js';
import { busy } from '../state/engine.js';
import { opened } from '../state/library.js';
import { affinityMilliseconds, milliseconds } from '../state/look.js';
import { isKept, update } from '../state/offline.js';
import './status_line.css';

/**
 * What is in progress; or which model is open, on which backend, the time of its last prediction, and its memory. Only the first
 * is announced, as the numbers change with every move of the pointer.
 */
export function StatusLine() {
  return (
    <>
      <p>
        <span role="status">{busy.value}</span>
        <span aria-busy={busy.value !== undefined}>{busy.value === undefined && facts().join(' · ')}</span>
      </p>
      <UpdateNotice />
      <BackendChoice />
    </>
  );
}

function facts(): string[] {
  const facts = [opened.value?.title ?? 'No model is open'];
  if (running.value) facts.push(`${running.value.name}: ${running.value.device}`);
  if (milliseconds.value !== undefined) facts.push(`${milliseconds.value.toFixed(0)} ms a prediction`);
  if (affinityMilliseconds.value !== undefined) {
    facts.push(`${affinityMilliseconds.value.toFixed(1)} ms an affinity`);
  }
  if (memory.value) {
    const { tensors, bytes } = memory.value;
    facts.push(`${tensors} tensors, ${(bytes / 1e6).toFixed(1)} MB`);
  }
  if (isKept.value) facts.push('kept for offline use');
  return facts;
}

function UpdateNotice() {
  const load = update.value;
  if (!load) return null;
  return (
    <p aria-live="polite">
      A newer version of this page is there.{' '}
      <button type="button" onClick={load}>
        Load it
      </button>
    </p>
  );
}

function BackendChoice() {
  return (
    <label>
      Backend{' '}
      <select
        value={choice.value}
        disabled={busy.value !== undefined}
        onChange={({ currentTarget }) => void choose(currentTarget.value as Choice)}
      >
        <option value="auto">auto</option>
        {offers.value.map((offer) => (
          <option key={offer.name} value={offer.name} disabled={'missing' in offer}>
            {offer.name}
          </option>
        ))}
      </select>
    </label>
  );
}
