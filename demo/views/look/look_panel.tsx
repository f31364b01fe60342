import { Predictions } from './predictions.js';

/** Look at a picture. */
export function LookPanel() {
  return <Predictions />;
}
