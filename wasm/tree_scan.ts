/** TreeScan on WebAssembly. */
import { TreeScan } from '../plugin/ops/tree_scan.js';
import { Aggregate, LANES } from './constants.js';
import { registerWasmKernel } from './kernels.js';
import { itemsOf, type Parts } from './threads.js';
import { edgesOf } from './tree_edges.js';

/** The codes that the functions of both kernels take. */
export const AGGREGATES = { root: Aggregate.ROOT, all: Aggregate.ALL, leaves: Aggregate.LEAVES } as const;

/** Minimum channels of an image that are scanned together: the fewer, the larger the overhead of traversing the tree. */
const LEAST_CHANNELS = 32;
/** Maximum number of blocks per image. */
const BLOCKS = 4;

/** A part of a scan: some channels of an image. Offsets are in units of 4 bytes. */
interface Block {
  readonly image: number;
  /** Offset of the first channel in the values. */
  readonly values: number;
  readonly decays: number;
  readonly channels: number;
  readonly groups: number;
}

/**
 * Splits a scan by images and, if there are fewer images than threads, by blocks of channels in whole groups. No more blocks
 * than threads can take: rows in pieces take up to three times as long from memory. Channels are independent of one another,
 * so the bits are those of whole rows. If all channels share one decay, its gradient is a sum over them, which `isGradient`
 * keeps whole.
 */
export function blocksOf(
  [batch, vertices, channels]: readonly number[],
  groups: number,
  threads: number,
  isGradient = false,
): { readonly parts: Parts; readonly block: (index: number) => Block } {
  const isWhole = groups === 0 || (groups === 1 && isGradient);
  const unit = groups <= 1 || groups === channels ? LANES : channels / groups;
  const wanted = isWhole || batch >= threads ? 1 : Math.min(Math.ceil(threads / batch), BLOCKS);
  const least = wanted === 1 ? channels : Math.max(channels / wanted, LEAST_CHANNELS);
  const width = Math.max(Math.min(Math.ceil(least / unit) * unit, channels), 1);
  const blocks = Math.max(Math.ceil(channels / width), 1);
  return {
    parts: itemsOf(batch * blocks, 0.4 * vertices * width),
    block: (index) => {
      const image = Math.floor(index / blocks);
      const first = (index % blocks) * width;
      const count = Math.min(width, channels - first);
      const ofGroup = groups === 0 ? 1 : channels / groups;
      return {
        image,
        values: image * vertices * channels + first,
        decays: image * vertices * groups + (groups === 1 ? 0 : first / ofGroup),
        channels: count,
        groups: groups === 1 ? 1 : count / ofGroup,
      };
    },
  };
}

registerWasmKernel(TreeScan, (kernel) => {
  const { inputs, outputs, shapes, attributes, inParts, threads } = kernel;
  const [, vertices, channels] = shapes.x;
  const groups = shapes.decay[2];
  const { parts, block } = blocksOf(shapes.x, groups, threads);
  const edges = edgesOf(kernel);
  inParts('tree_scan', parts, (index) => {
    const at = block(index);
    return [
      ...([inputs.x + 4 * at.values, inputs.decay + 4 * at.decays, ...edges(at.image)] as const),
      ...([outputs.y + 4 * at.values, vertices, channels, at.channels] as const),
      ...([groups, at.groups, AGGREGATES[attributes.aggregate]] as const),
    ];
  });
});
