/** Decides which convolutions use Winograd's method on WebAssembly, and how: see winograd.cc. */
import type { backend_util } from '@tensorflow/tfjs-core';
import type { ConvolutionActivation } from '../plugin/ops/activations.js';
import { LANES, PANEL, TILE } from './constants.js';
import type { WasmFunctions } from './functions.js';
import type { WasmKernelArguments } from './kernels.js';
import { ACTIVATIONS, type Weights } from './matrix_product.js';
import { MAX_SLOTS, partsOf } from './threads.js';

/** Exports of winograd.cc. */
export type WinogradFunctions = Pick<WasmFunctions, 'winograd_scratch' | 'winograd_pack' | 'winograd'>;

/** With fewer channels or outputs, the overhead outweighs what the products save. */
const LEAST_CHANNELS = 16;

/** Minimum tiles per image, by stride: with fewer, reading the larger filter takes longer than its products. */
const LEAST_TILES = [32, 128];

/** Outputs computed at a time: the transformed filter is up to 2.8 times as large as the filter. */
const OUTPUTS = 256;

/**
 * From this number of tiles on, or if it is larger, the filter is transformed for each call, which takes a few hundredths of
 * the time of the products.
 */
const KEPT = { tiles: 256, bytes: 2 ** 22 };

/** Tiles per block: the transformed tiles stay in the second-level cache, and the filter is read once for all of them. */
const BLOCK = { least: 32, most: 64, bytes: 3 * 2 ** 17 };

/** Nanoseconds per product of two numbers, and per transformed filter value. */
const NANOSECONDS = { product: 0.035, packing: 0.6 };

/** Number of 2 x 2 tiles per output image. */
const tilesOf = ({ outHeight, outWidth }: backend_util.Conv2DInfo) =>
  Math.ceil(outHeight / 2) * Math.ceil(outWidth / 2);

/** Whether to use the method. It depends on a single image, so that the values of an image do not depend on the others. */
export function isForWinograd(info: backend_util.Conv2DInfo): boolean {
  const { filterHeight, filterWidth, strideHeight, strideWidth, inChannels, outChannels } = info;
  return (
    filterHeight === 3 &&
    filterWidth === 3 &&
    strideHeight === strideWidth &&
    strideWidth <= 2 &&
    Math.min(inChannels, outChannels) >= LEAST_CHANNELS &&
    inChannels % LANES === 0 &&
    outChannels % LANES === 0 &&
    tilesOf(info) >= LEAST_TILES[strideWidth - 1]
  );
}

/**
 * Returns the number of tiles per block, in blocks of nearly equal size.
 * @param bytes per tile
 */
function blockOf(tiles: number, bytes: number): number {
  const fitting = Math.max(BLOCK.least, Math.min(Math.floor(BLOCK.bytes / bytes), BLOCK.most));
  return Math.ceil(tiles / Math.ceil(tiles / fitting) / TILE) * TILE;
}

/** A convolution: addresses, 0 for no bias, and sizes. */
interface Convolved {
  readonly x: number;
  readonly filter: Weights;
  readonly bias: number;
  readonly y: number;
  readonly window: number;
  readonly info: backend_util.Conv2DInfo;
  readonly activation: ConvolutionActivation;
}

/** y = activation(convolution of x + bias), for the convolutions selected by {@link isForWinograd}. */
export function winograd(
  memory: Pick<
    WasmKernelArguments<never, WinogradFunctions>,
    'inParts' | 'scratch' | 'cached' | 'threads' | 'functions'
  >,
  { x, filter, bias, y, window, info, activation }: Convolved,
): void {
  const { inParts, scratch, cached, threads, functions } = memory;
  const { batchSize, inChannels, outChannels, strideWidth } = info;
  const products = (strideWidth === 1 ? 16 : 25) * inChannels;
  const bytesOf = (outputs: number) => 4 * products * Math.ceil(outputs / PANEL) * PANEL;
  const tiles = batchSize * tilesOf(info);
  const isKept = tiles < KEPT.tiles && bytesOf(outChannels) <= KEPT.bytes;
  const most = isKept ? outChannels : Math.min(OUTPUTS, outChannels);
  const slots = threads > 1 ? MAX_SLOTS : 1;
  const block = blockOf(tiles, 4 * products);
  const bytes = functions.winograd_scratch(window, block);
  const space = scratch(bytes * slots);
  const transformed = isKept ? 0 : scratch(bytesOf(most));
  for (let output = 0; output < outChannels; output += most) {
    const outputs = Math.min(most, outChannels - output);
    const pack = (address: number) => {
      const panels = partsOf(Math.ceil(outputs / PANEL), NANOSECONDS.packing * products * PANEL);
      inParts('winograd_pack', panels, (panel, count) => [
        ...([filter.address, address, window, output, outputs, panel, panel + count] as const),
      ]);
      return address;
    };
    const packed = isKept
      ? cached([filter.tensor], `for tiles at stride ${strideWidth}`, bytesOf(outputs), pack)
      : pack(transformed);
    const parts = partsOf(tiles, NANOSECONDS.product * products * outputs, block, slots);
    inParts('winograd', parts, (tile, count, slot) => [
      ...([x, packed, bias, y, space + bytes * slot, window, block] as const),
      ...([output, outputs, tile, count, ACTIVATIONS[activation]] as const),
    ]);
  }
}
