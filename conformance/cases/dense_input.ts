/** Inputs and expected maps of segmenters and detectors, as stored in their files. */
import type { ToleranceClass } from '../../plugin/backends.js';
import { denseStageBound, layerBound } from '../bounds.js';
import { type CaseTensor, float32 } from '../case.js';
import { type Comparison, comparison, comparisonOf } from '../verdict.js';
import { type CaseFile, channelsLast, LayoutError, metadataOf } from './case_file.js';
import { type BlockTrees, blockTrees, imageOf, normalizedImage } from './model_inputs.js';

/** Metadata of an input. */
interface InputMetadata {
  readonly img_shape: readonly number[];
  readonly pad_shape: readonly number[];
  readonly scale_factor: readonly number[];
  readonly ori_shape: readonly number[];
}

/** An image preprocessed for the network, the reference's trees, and their distance from near ties. */
export interface DenseInput {
  /** [N, H, W, 3], normalised and padded. */
  readonly normalized: CaseTensor;
  readonly trees: BlockTrees;
  readonly metadata: Partial<InputMetadata>;
  /** Noise of half this size on edge weights changes no tree. */
  readonly treeMargin: number;
}

/** @throws {LayoutError} if the file has neither `input.<tag>` nor pixels */
export function denseInput(file: CaseFile, tag: string): DenseInput {
  const metadata = metadataOf<InputMetadata>(file, `input.${tag}`);
  const { min_tree_margin: treeMargin = 0 } = metadataOf<{ min_tree_margin: number }>(file, `stats.${tag}`);
  const trees = blockTrees(file, `trees.${tag}.`);
  if (trees.trees.length === 0) throw new LayoutError(`${file.path} has no trees.${tag}.*`);
  return { normalized: normalizedInput(file, tag, metadata), trees, metadata, treeMargin };
}

function normalizedInput(file: CaseFile, tag: string, { pad_shape }: Partial<InputMetadata>): CaseTensor {
  const name = `input.${tag}`;
  if (file.has(name)) return imageOf(file.path, name, file.input(name));
  const pixels = [`resized_rgb.${tag}`, `rgb.${tag}`].find((name) => file.has(name));
  if (!pixels) throw new LayoutError(`${file.path} has neither ${name} nor pixels of it`);
  const image = normalizedImage(imageOf(file.path, pixels, file.ints(pixels)));
  const [batch, height, width] = image.shape;
  const [rows = height, columns = width] = pad_shape ?? [];
  const padded = float32([batch, rows, columns, 3], new Float32Array(batch * rows * columns * 3));
  for (let n = 0; n < batch; n++) {
    for (let y = 0; y < height; y++) {
      const row = image.values.subarray((n * height + y) * width * 3, (n * height + y + 1) * width * 3);
      padded.values.set(row, (n * rows + y) * columns * 3);
    }
  }
  return padded;
}

/** A node and its expected value. */
export interface ExpectedMap {
  readonly node: string;
  /** Channels-last. */
  readonly value: CaseTensor;
  /** Set if only the first channels are in the file. */
  readonly first?: number;
}

/** Tensors `<kind>.<tag>.<index>` and `<kind>[_first<n>].<tag>` as values of `<node>_<index>` and `<node>`. */
export function expectedMaps(
  file: CaseFile,
  tag: string,
  nodes: Readonly<Record<string, string>>,
): ExpectedMap[] {
  return file.names.flatMap((name): ExpectedMap[] => {
    const [kind, ...rest] = name.split('.');
    const [, plain, first] = /^(.*?)(?:_first(\d+))?$/.exec(kind) as RegExpExecArray;
    const node = Object.hasOwn(nodes, plain) ? nodes[plain] : undefined;
    const of = rest.join('.');
    const index = of.startsWith(`${tag}.`) ? of.slice(tag.length + 1) : undefined;
    if (node === undefined || (of !== tag && !/^\d+$/.test(index ?? ''))) return [];
    const value = channelsLast(file.floats(name, 4));
    return [
      {
        node: index === undefined ? node : `${node}_${index}`,
        value,
        ...(first && { first: Number(first) }),
      },
    ];
  });
}

/** Compares a node's value with the part that is in the file. */
export function compareMap(
  { node, value, first }: ExpectedMap,
  given: CaseTensor,
  bound = denseStageBound,
  tolerance: ToleranceClass = 'float32',
): Comparison {
  const part = first === undefined ? given : firstChannels(given, first);
  return comparisonOf(node, part, value, bound(tolerance));
}

function firstChannels({ shape, values }: CaseTensor, count: number): CaseTensor {
  const channels = shape[shape.length - 1];
  const pixels = values.length / channels;
  const first = new Float32Array(pixels * count);
  for (let i = 0; i < pixels; i++) {
    first.set((values as Float32Array).subarray(i * channels, i * channels + count), i * count);
  }
  return float32([...shape.slice(0, -1), count], first);
}

/** Compares edge weights; the reference's are exp of ours. */
export function compareEdgeWeights(
  { edgeWeights }: BlockTrees,
  result: (node: string) => CaseTensor,
  tolerance: ToleranceClass,
): Comparison[] {
  return edgeWeights.flatMap((stored, i) => {
    if (!stored) return [];
    const node = `blocks_${i}/edge_weights`;
    const expected = Float64Array.from(stored.values, Math.log);
    return [comparison(node, result(node).values, expected, layerBound(tolerance))];
  });
}

/** Nodes of those edge weights that are in a file. */
export function edgeWeightNodes({ edgeWeights }: BlockTrees): string[] {
  return edgeWeights.flatMap((stored, i) => (stored ? [`blocks_${i}/edge_weights`] : []));
}
