/** What a prediction of the open model is made of. */
import { profile } from '@tensorflow/tfjs-core';
import { GrootL } from 'tfjs-grootvl';
import { openedModel } from './library.js';
import { predictionOf } from './measure.js';

export interface KernelTime {
  readonly name: string;
  readonly calls: number;
  /** Of all calls; undefined where the backend has no clock for kernels. */
  readonly milliseconds?: number;
}

export interface Profile {
  /** Calls of kernels in one prediction. */
  readonly kernels: number;
  /** Bytes of tensors at the most. */
  readonly peakBytes: number;
  /** All that ran, the slowest first. */
  readonly slowest: readonly KernelTime[];
}

/** One prediction, of a picture or, by a language model, of the token after a text. */
async function profileModel(picture: Blob, text: string): Promise<Profile> {
  const model = openedModel();
  const predict =
    model instanceof GrootL ? () => model.generate(text, { maxTokens: 1 }) : predictionOf(picture);
  const { kernels: recorded, peakBytes } = await profile(async () => {
    await predict();
    return [];
  });
  // Fused ops stand there a second time, by a name of their own.
  const kernels = recorded.filter(({ name }) => !name.endsWith('__op'));
  const byName = new Map<string, { calls: number; milliseconds: number }>();
  for (const { name, kernelTimeMs } of kernels) {
    const { calls, milliseconds } = byName.get(name) ?? { calls: 0, milliseconds: 0 };
    const time = typeof kernelTimeMs === 'number' ? kernelTimeMs : Number.NaN;
    byName.set(name, { calls: calls + 1, milliseconds: milliseconds + time });
  }
  const isTimed = [...byName.values()].every(({ milliseconds }) => Number.isFinite(milliseconds));
  const slowest = [...byName]
    .sort(([, a], [, b]) => (isTimed ? b.milliseconds - a.milliseconds : b.calls - a.calls))
    .map(([name, { calls, milliseconds }]) => ({ name, calls, ...(isTimed && { milliseconds }) }));
  return { kernels: kernels.length, peakBytes, slowest };
}

export const calls = { profileModel };
