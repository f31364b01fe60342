/** Tensors of test cases: plain arrays, the same in Node and in pages. */

/** A tensor on the host, row-major. References may be float64, inputs are float32 or int32. */
export type CaseTensor =
  | { readonly dtype: 'float32'; readonly shape: readonly number[]; readonly values: Float32Array }
  | { readonly dtype: 'float64'; readonly shape: readonly number[]; readonly values: Float64Array }
  | { readonly dtype: 'int32'; readonly shape: readonly number[]; readonly values: Int32Array }
  | { readonly dtype: 'uint8'; readonly shape: readonly number[]; readonly values: Uint8Array };

export type CaseTensors = Readonly<Record<string, CaseTensor>>;

export function float32(shape: readonly number[], values: ArrayLike<number>): CaseTensor {
  return { dtype: 'float32', shape, values: Float32Array.from(values) };
}

export function float64(shape: readonly number[], values: ArrayLike<number>): CaseTensor {
  return { dtype: 'float64', shape, values: Float64Array.from(values) };
}

export function int32(shape: readonly number[], values: ArrayLike<number>): CaseTensor {
  return { dtype: 'int32', shape, values: Int32Array.from(values) };
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Returns the items of a tensor [B, ...] as B arrays that share its memory. */
export function itemsOf(tensor: CaseTensor): CaseTensor['values'][] {
  const batch = tensor.shape[0];
  const size = batch === 0 ? 0 : tensor.values.length / batch;
  return Array.from({ length: batch }, (_, b) => tensor.values.subarray(b * size, (b + 1) * size));
}
