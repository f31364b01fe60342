/** Sorts on the device, in two draws: see programs/sort_programs.ts. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { OutputSpec } from '../../plugin/ops/declaration.js';
import type { WebglKernelArguments } from './kernels.js';
import type { PointDraw, PointProgram } from './point_drawer.js';
import { RANKS, SORT_BLOCKS, SORTED_BUT_FIRST } from './programs/sort_programs.js';

type Kernel = Pick<WebglKernelArguments<never>, 'drawPoints' | 'release'>;

/** Returns a function that draws points to one new texture: by default, to one of a texel for each point. */
export function singleDraws({ drawPoints }: Pick<Kernel, 'drawPoints'>, uniforms: PointDraw['uniforms']) {
  return (
    program: PointProgram,
    inputs: PointDraw['inputs'],
    points: number,
    output: number | OutputSpec = points,
    background?: number,
  ): TensorInfo => drawPoints({ program, inputs, uniforms, points, outputs: [output], background })[0];
}

/**
 * Returns the rank of every key within its batch, at the position of the key.
 * @param keys `batch` times `length` texels (x, y), compared lexicographically; equal keys keep their order.
 */
export function ranksOf(keys: TensorInfo, batch: number, length: number, kernel: Kernel): TensorInfo {
  return sort(RANKS, keys, batch, length, batch * length, kernel);
}

/** Returns x of the keys of each batch in ascending order, without the smallest. */
export function sortedButFirst(
  keys: TensorInfo,
  batch: number,
  length: number,
  output: OutputSpec,
  kernel: Kernel,
): TensorInfo {
  return sort(SORTED_BUT_FIRST, keys, batch, length, output, kernel);
}

function sort(
  program: PointProgram,
  keys: TensorInfo,
  batch: number,
  length: number,
  output: number | OutputSpec,
  kernel: Kernel,
): TensorInfo {
  // An invocation reads its own block completely and every other by binary search: twice the square root balances the two.
  const blockSize = 2 ** Math.ceil(Math.log2(2 * Math.sqrt(length)));
  const draw = singleDraws(kernel, { length, blockSize });
  const points = batch * length;
  const blocks = draw(SORT_BLOCKS, { keys }, points);
  const result = draw(program, { blocks }, points, output);
  kernel.release(blocks);
  return result;
}
