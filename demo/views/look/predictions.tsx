import { predictions } from '../../state/look.js';

/** The most probable classes as a list of bars. */
export function Predictions() {
  return (
    <ol class="predictions" aria-live="polite">
      {predictions.value.map(({ index, label, probability }) => (
        <li key={index}>
          <span>{label}</span>
          <meter value={probability} aria-label={label} />
          <output>{(100 * probability).toFixed(1)} %</output>
        </li>
      ))}
    </ol>
  );
}
