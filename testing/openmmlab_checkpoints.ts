/** Checkpoints with random weights as saved by mmsegmentation and mmdetection, and the results of converting them. */
import { type ConvertOptions, convertCheckpoint, MemorySink } from '../converters/index.js';
import {
  MadeOrderedDict,
  madeDict,
  type Picklable,
  torchZipBytes,
} from '../converters/pytorch/testing/torch_writer.js';
import { randomState, smallMaskRCNN, smallUperNet } from './checkpoints.js';

export type State = ReadonlyMap<string, Picklable>;

export const SEGMENTER = randomState(smallUperNet());
export const DETECTOR = randomState(smallMaskRCNN());

export async function convertSaved(root: Picklable, options: ConvertOptions = {}) {
  const sink = new MemorySink();
  const inspection = await convertCheckpoint(await torchZipBytes(root), sink, options);
  const model = JSON.parse(new TextDecoder().decode(sink.files.get('model.json')));
  const settings = Object.fromEntries(inspection.settings.map(({ name, ...setting }) => [name, setting]));
  return { inspection, settings, metadata: model.userDefinedMetadata, weights: weightsOf(sink), model };
}

/** The bytes of all weights. */
export function weightsOf(sink: MemorySink): string {
  const shards = [...sink.files].filter(([name]) => name.endsWith('.bin'));
  return shards.map(([, bytes]) => Buffer.from(bytes).toString('base64')).join();
}

/** A checkpoint as the libraries save it. */
export const saved = (state: State, meta?: Picklable) =>
  madeDict({ ...(meta ? { meta } : {}), state_dict: new MadeOrderedDict(state) });
