/** The models that the page knows, and the one that is open. */
import type { Detector, GrootL, Segmenter } from 'tfjs-grootvl';
import { GrootV } from 'tfjs-grootvl';
import { convertCheckpoint, MemorySink } from 'tfjs-grootvl/converters';
import digits from '../../fixtures/grootv/grootv_nano_mnist.pth?url';
import { startBackend } from './backends.js';

export type Model = GrootV | Segmenter | Detector | GrootL;
export type Family = 'GrootV' | 'Segmenter' | 'Detector' | 'GrootL';

/** What the page shows of a model. */
export interface ModelSummary {
  readonly id: string;
  readonly title: string;
  readonly family: Family;
  /** As the converter names it: `GrootV-T`. */
  readonly architecture: string;
  readonly parameters: number;
  /** Bytes of the converted files. */
  readonly bytes: number;
  readonly isBundled: boolean;
}

let open: { readonly id: string; readonly model: Model } | undefined;

/** @throws {Error} when no model is open */
export function openedModel(): Model {
  if (open) return open.model;
  throw new Error('no model is open: choose one from the list');
}

/** Opens a model in place of the one that is open. */
async function openModel(id: string): Promise<ModelSummary> {
  await startBackend();
  const response = await fetch(digits);
  if (!response.ok) throw new Error(`the model could not be loaded: the server answered ${response.status}`);
  const sink = new MemorySink();
  const inspection = await convertCheckpoint(new File([await response.blob()], 'digits.pth'), sink);
  open?.model.dispose();
  open = { id, model: await GrootV.load(sink) };
  const { architecture, parameters, outputBytes } = inspection;
  return {
    id,
    title: 'Handwritten digits',
    family: 'GrootV',
    architecture,
    parameters,
    bytes: outputBytes,
    isBundled: true,
  };
}

/** Loads the open model again, as another backend needs it. */
export async function reopenModel(): Promise<void> {
  if (open) await openModel(open.id);
}

export const calls = { openModel };
