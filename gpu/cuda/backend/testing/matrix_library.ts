/** A substitute for cuBLAS, which machines without a GPU do not have. */
import type { Device, MatrixProduct } from '../driver.js';

/** Gives a device the functions of cuBLAS that driver.ts declares, computed here. Products are recorded in `asked`. */
export function pretendMatrixLibrary(device: Device, asked: MatrixProduct[]): void {
  const multiply = (product: MatrixProduct): void => {
    asked.push(product);
    const { m, n, k, transposeA, transposeB, batches, strideA, strideB, strideC } = product;
    const a = new Float32Array(m * k);
    const b = new Float32Array(k * n);
    const c = new Float32Array(m * n);
    for (let batch = 0; batch < batches; batch++) {
      device.downloadSync(product.a + 4 * batch * strideA, a);
      device.downloadSync(product.b + 4 * batch * strideB, b);
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let l = 0; l < k; l++)
            sum += a[transposeA ? l * m + i : i * k + l] * b[transposeB ? j * k + l : l * n + j];
          c[i * n + j] = sum;
        }
      }
      device.upload(product.c + 4 * batch * strideC, c);
    }
  };
  Object.defineProperty(device, 'hasMatrixLibrary', { value: true });
  Object.defineProperty(device, 'multiply', { value: multiply });
}
