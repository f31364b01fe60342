// Products of 7-bit rows and 8-bit weight columns, in AssemblyScript. Built twice: for every engine with SIMD, and for those
// with relaxed SIMD, whose byte products this package's C++ compiler does not support.
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
