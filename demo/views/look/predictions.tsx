import { isLooking, predictions } from '../../state/look.js';
import { Measurement } from './measurement.js';

/** The most probable classes as a list of bars. */
export function Predictions() {
  if (!predictions.value) return null;
  const { of, classes } = predictions.value;
  return (
    <section aria-labelledby="predictions-title" aria-busy={isLooking.value}>
      <h2 id="predictions-title">
        Prediction <span class="muted">{of.title}</span>
      </h2>
      <ol class="predictions" aria-live="polite" aria-label={of.title}>
        {classes.map(({ index, label, probability }) => (
          <li key={index}>
            <span>{label}</span>
            <meter value={probability} aria-label={label} />
            <output>{percent(probability)}</output>
          </li>
        ))}
      </ol>
      <Measurement />
    </section>
  );
}

/** `12.3 %`. */
export function percent(part: number): string {
  return part > 0 && part < 0.0005 ? '<0.1 %' : `${(100 * part).toFixed(1)} %`;
}
