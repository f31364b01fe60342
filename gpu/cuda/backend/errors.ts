/** The errors of the backend `cuda`, by what a caller can do about them. */
import type { DriverErrorCode } from './driver.js';

/** There is no device to run on: the message names the cause and how to fix it. */
export class CudaUnavailableError extends Error {
  override readonly name = 'CudaUnavailableError';
  constructor(
    readonly code: DriverErrorCode | 'NOT_BUILT',
    message: string,
  ) {
    super(message);
  }
}

/** The device has too little memory for another tensor. Existing tensors remain valid, and the backend usable. */
export class CudaOutOfMemoryError extends Error {
  override readonly name = 'CudaOutOfMemoryError';
  constructor(
    /** Bytes requested. */
    readonly requestedBytes: number,
    /** Bytes held by tensors. */
    readonly usedBytes: number,
    limit: string,
  ) {
    super(
      `cuda: out of memory: ${megabytes(requestedBytes)} asked for, ${megabytes(usedBytes)} in use, ${limit}; ` +
        'dispose tensors, wrap work in tf.tidy, or use a smaller batch',
    );
  }
}

function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${bytes} bytes` : `${(bytes / 1e6).toFixed(1)} MB`;
}
