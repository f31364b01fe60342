/** Profiles a prediction of the open model. */
import { profile } from '@tensorflow/tfjs-core';
import { GrootL } from 'tfjs-grootvl';
import { openedModel } from './library.js';
import { predictionOf } from './measure.js';

export interface KernelTime {
  readonly name: string;
  readonly calls: number;
  /** Total over all calls; undefined if the backend cannot time kernels. */
  readonly milliseconds?: number;
}

export interface Profile {
  /** Number of kernel calls in a prediction. */
  readonly kernels: number;
  /** Peak bytes of tensors. */
  readonly peakBytes: number;
  /** All kernels, slowest first. */
  readonly slowest: readonly KernelTime[];
}

/** Profiles a prediction for an image or, with a language model, of the next token of a text. */
async function profileModel(image: Blob, text: string): Promise<Profile> {
  const model = openedModel();
  const predict =
    model instanceof GrootL ? () => model.generate(text, { maxTokens: 1 }) : predictionOf(image);
  const { kernels: recorded, peakBytes } = await profile(async () => {
    await predict();
    return [];
  });
  // Fused ops are listed a second time, under a separate name.
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
