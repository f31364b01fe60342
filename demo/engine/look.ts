/** What a model of pictures makes of one. */
import { GrootV, type Prediction } from 'tfjs-grootvl';
import { openedModel } from './library.js';

/** The most probable classes, the best first, and how long they took in milliseconds. */
async function classify(
  picture: Blob,
  top: number,
): Promise<{ predictions: Prediction[]; milliseconds: number }> {
  const model = openedModel();
  if (!(model instanceof GrootV)) throw new Error('the open model does not classify pictures');
  const started = performance.now();
  const [predictions] = await model.classify(picture, { top });
  return { predictions, milliseconds: performance.now() - started };
}

export const calls = { classify };
