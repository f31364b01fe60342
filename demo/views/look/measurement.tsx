import { useSignal } from '@preact/signals';
import { milliseconds } from '../../state/look.js';
import { measure, measurement, progress, stopMeasuring } from '../../state/measure.js';

const TIMES = [10, 100, 1000];

/** The time of the last prediction, and of repeated ones. */
export function Measurement() {
  const times = useSignal(TIMES[0]);
  if (milliseconds.value === undefined) return null;
  const isMeasuring = progress.value !== undefined;
  return (
    <div class="measurement">
      <button type="button" onClick={() => (isMeasuring ? stopMeasuring() : void measure(times.value))}>
        {isMeasuring ? 'Stop' : 'Predict again'}
      </button>
      <select
        aria-label="How many times"
        disabled={isMeasuring}
        value={times.value}
        onChange={({ currentTarget }) => (times.value = Number(currentTarget.value))}
      >
        {TIMES.map((count) => (
          <option key={count} value={count}>
            {count} times
          </option>
        ))}
      </select>
      <p class="muted" role="status">
        {isMeasuring ? `${progress.value} of ${times.value} predictions` : inWords(milliseconds.value)}
      </p>
    </div>
  );
}

function inWords(first: number): string {
  if (!measurement.value) return `${first.toFixed(1)} ms in the worker`;
  const { times, median, fastest, slowest, tensors, bytes } = measurement.value;
  const time = `${median.toFixed(1)} ms, the median of ${times} (${fastest.toFixed(1)} to ${slowest.toFixed(1)})`;
  const held = [0, 1].map((i) => `${tensors[i]} tensors of ${bytes[i].toLocaleString('en')} bytes`);
  return `${time}. Memory: ${held[0] === held[1] ? `unchanged, ${held[0]}` : held.join(' before, after ')}.`;
}
