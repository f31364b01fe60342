/** Random weights for GrootV networks of any size: as fast as trained ones. */
import { grootVShapes as networkShapes } from '../converters/architectures/grootv/architecture.js';
import { elementsOf, type Parameter } from '../converters/parameters.js';
import type { GrootVArchitecture, GrootVScan, StemStride } from '../plugin/models/grootv_metadata.js';
import { RandomNumbers, streamSeed } from '../plugin/random.js';

export interface GrootVSizes extends GrootVScan {
  readonly channels: number;
  readonly depths: readonly number[];
  readonly mlpRatio?: number;
  readonly layerScale?: boolean;
  readonly inputChannels?: number;
  readonly stemStride?: StemStride;
  /** 0: no head. */
  readonly classes?: number;
  readonly convolutionHead?: boolean;
}

/** Uniform random numbers in [-1, 1), seeded for repeatable tests. */
export function uniform(seed: number): () => number {
  const random = new RandomNumbers(seed);
  return () => 2 * random.next() - 1;
}

/** A network of these sizes, the others as published. */
export function grootVSizes(sizes: GrootVSizes): GrootVArchitecture {
  const published = { mlpRatio: 4, layerScale: false, classes: 10, convolutionHead: true };
  return { name: 'GrootV', ...published, ...sizes };
}

/** Names and shapes of the tensors of a GrootV checkpoint. */
export function grootVShapes(sizes: GrootVSizes): Map<string, readonly number[]> {
  const network = grootVSizes(sizes);
  const shapes = new Map(networkShapes(network));
  if (network.convolutionHead) shapes.set('conv_head.1.0.num_batches_tracked', []);
  return shapes;
}

/** A state dict of a network; values are generated each time they are read, always the same. */
export function randomState(shapes: ReadonlyMap<string, readonly number[]>): Map<string, Parameter> {
  return new Map(
    [...shapes].map(([name, shape]) => {
      const readFloat32 = async () => randomValues(name, shape, uniform(streamSeed(1, name)));
      return [name, { shape, elements: elementsOf(shape), readFloat32 }];
    }),
  );
}

/** Values for a parameter of this name: norms and variances close to 1, matrices scaled by their fan-in. */
export function randomValues(name: string, shape: readonly number[], random: () => number): Float32Array {
  const fanIn = elementsOf(shape.slice(1));
  const isScale = /norm.*weight|bn\.weight|conv_head\.1\.0\.weight|running_var|Ds|gamma/.test(name);
  const scale = shape.length > 1 && !/A_logs|dt_projs_bias/.test(name) ? 1.7 / Math.sqrt(fanIn) : 0.2;
  const values = new Float32Array(elementsOf(shape));
  for (let i = 0; i < values.length; i++) values[i] = isScale ? 1 + 0.2 * random() : scale * random();
  return values;
}
