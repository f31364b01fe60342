// Products of rows of 7 bits and columns of weights of 8 bits, in AssemblyScript. Built twice: for every engine with SIMD, and
// for those with relaxed SIMD, whose products of bytes this package's C++ compiler has no name for.
export {
  quantizedIsRelaxed,
  quantizedPackBytes,
  quantizedTileBytes,
  quantizedTotalBytes,
} from './quantized_layout.as';
export { quantizedPack, quantizedTotals } from './quantized_pack.as';
export { quantizedRows } from './quantized_rows.as';
export { quantizedStream } from './quantized_stream.as';
export { quantizedProduct } from './quantized_tiles.as';
