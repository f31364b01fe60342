/** HuggingFace folders derived from the tiny model's, and the results of converting them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeSafetensors, type SafetensorsTensor } from '../../../plugin/models/safetensors_writer.js';
import { fixturePath, readFixture } from '../../../testing/fixtures.js';
import { convertCheckpoint, filesDirectory, MemorySink } from '../../index.js';

export type Files = Map<string, Uint8Array>;

export const TINY = fixturePath('grootl/grootl_tiny') as string;
export const ADAPTER = fixturePath('grootl/grootl_tiny_lora') as string;
export const tensors = readFixture('grootl/grootl_tiny/model.safetensors');
export const config = JSON.parse(readFileSync(join(TINY, 'config.json'), 'utf8'));
export const adapterConfig = JSON.parse(readFileSync(join(ADAPTER, 'adapter_config.json'), 'utf8'));
export const EMBEDDINGS = 'backbone.embeddings.weight';

export const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

export function filesOf(folder: string): Files {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(names.map(({ name }) => [name, Uint8Array.from(readFileSync(join(folder, name)))]));
}

/** The tiny model's tensors, some of them replaced or (null) removed. */
export function state(changes: Record<string, SafetensorsTensor | null> = {}): SafetensorsTensor[] {
  const kept = tensors
    .names()
    .filter((name) => !(name in changes))
    .map((name): SafetensorsTensor => {
      const { shape, values } = tensors.tensor(name);
      return { name, dtype: 'F32', shape, data: values };
    });
  return [...kept, ...Object.values(changes).filter((tensor) => tensor !== null)];
}

export const float32 = (name: string, shape: number[], seed = 1): SafetensorsTensor => ({
  name,
  dtype: 'F32',
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(seed + i) / 8),
});

export const folder = (weights: readonly SafetensorsTensor[], changes = {}): Files =>
  new Map([
    ['config.json', json({ ...config, ...changes })],
    ['model.safetensors', encodeSafetensors(weights)],
  ]);

export async function converted(files: Files, options: { lora?: Files } = {}): Promise<MemorySink> {
  const sink = new MemorySink();
  const lora = options.lora && filesDirectory(options.lora, 'adapter');
  await convertCheckpoint(filesDirectory(files, 'folder'), sink, { lora });
  return sink;
}

/** The values of a constant of a converted model; matrices in PyTorch's order. */
export function constant(sink: MemorySink, name: string): Float32Array {
  const { weightSpecs, weightData } = sink.artifacts();
  let at = 0;
  for (const spec of weightSpecs as { name: string; shape: number[] }[]) {
    const size = spec.shape.reduce((product, extent) => product * extent, 1);
    if (spec.name === name) {
      const values = new Float32Array(weightData, at, size);
      const [rows, columns] = spec.shape;
      if (spec.shape.length !== 2 || name.endsWith('A_log')) return values;
      return Float32Array.from(values, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]);
    }
    at += 4 * size;
  }
  throw new Error(`no constant ${name}`);
}

/** The concatenated weights of a converted model. */
export async function weightsOf(files: Files, options: { lora?: Files } = {}): Promise<Buffer> {
  return Buffer.from((await converted(files, options)).artifacts().weightData as ArrayBuffer);
}
