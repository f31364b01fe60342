/**
 * The narrow driver interface: everything that the backend needs of a device. The native addon implements it twice, with the
 * CUDA driver API and, for tests without a GPU, with an emulation on the host. All work is executed in the order of calls
 * (one stream); no call waits unless its description says so.
 */

/** Describes a device. */
export interface DeviceDescription {
  /** `host emulation` is not a GPU: it runs the same kernels thread by thread, for tests. */
  readonly kind: 'cuda' | 'host emulation';
  /** For example `NVIDIA H200`. */
  readonly name: string;
  /** Major and minor compute capability, for example `9.0`; empty for the emulation. */
  readonly computeCapability: string;
  /** The CUDA version that the driver supports, for example `13.0`; empty for the emulation. */
  readonly driverVersion: string;
  readonly multiprocessors: number;
  /** Maximum dynamic shared memory per block, in bytes. */
  readonly sharedBytesPerBlock: number;
  readonly totalBytes: number;
  /** Whether every access of a kernel is checked to lie in allocated memory, to the byte. */
  readonly checksAccesses: boolean;
}

/** C[i] = A[i] B[i] for i < batches: row-major float32 matrices, [m, k] and [k, n], or transposed in memory. */
export interface MatrixProduct {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Addresses. */
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly batches: number;
  /** Elements between consecutive matrices of the batch; 0 uses one matrix for all. */
  readonly strideA: number;
  readonly strideB: number;
  readonly strideC: number;
  /** Whether to round the factors to TF32 (10 bits): faster, and less exact. */
  readonly allowTf32: boolean;
}

/** The `code` of errors of an open device that are not caused by the arguments of a call. */
export const DEVICE_FAILED = 'DEVICE_FAILED';

/** An open device. Addresses are plain numbers: device addresses have at most 49 bits. */
export interface Device {
  readonly description: DeviceDescription;
  /**
   * Arguments of the next launch, packed like the parameters of a C++ kernel: each aligned to its own size, pointers 8
   * bytes, int32 and float32 4. 4096 bytes.
   */
  readonly argumentBytes: ArrayBuffer;
  /**
   * @returns the number by which a kernel is launched.
   * @throws {Error} if there is none of this name.
   */
  findKernel(name: string): number;
  /** Starts a kernel with the first `argumentSize` bytes of {@link argumentBytes} as its arguments. */
  launch(
    kernel: number,
    blocksX: number,
    blocksY: number,
    blocksZ: number,
    threadsX: number,
    threadsY: number,
    sharedBytes: number,
    argumentSize: number,
  ): void;
  /** @returns an address aligned to 256 bytes, or 0 if the device has too little memory. */
  allocate(bytes: number): number;
  /** Waits for the work that uses the memory. */
  free(address: number): void;
  /** Copies from the host. The source may be changed as soon as this returns. */
  upload(address: number, source: ArrayBufferView): void;
  /** Copies to the host once all earlier work is done. The event loop is not blocked. */
  download(address: number, target: ArrayBufferView): Promise<void>;
  /** Copies to the host, and waits. */
  downloadSync(address: number, target: ArrayBufferView): void;
  copy(to: number, from: number, bytes: number): void;
  /** Writes the 32 bits of `pattern` `count` times. */
  fill(address: number, pattern: number, count: number): void;
  /**
   * Waits until all earlier work is done.
   * @throws {Error} if any of it failed.
   */
  synchronize(): void;
  /** Records an event in the order of work, for {@link elapsed}. */
  recordEvent(): number;
  /** Returns the milliseconds between two events, which are freed. The event loop is not blocked. */
  elapsed(start: number, end: number): Promise<number>;
  /** Whether cuBLAS was found; without it {@link multiply} throws. */
  readonly hasMatrixLibrary: boolean;
  multiply(product: MatrixProduct): void;
  /** Bytes of the device that no program uses. */
  freeBytes(): number;
  /** Releases everything. No method may be called afterwards. */
  close(): void;
}

/** Why there is no device: the `code` of the error that `Driver.open` throws. */
export type DriverErrorCode =
  /** libcuda.so.1 was not found. */
  | 'NO_DRIVER'
  /** The driver is older than CUDA 12, or than the toolkit that the addon was built with. */
  | 'OLD_DRIVER'
  /** No GPU, or none with this number. */
  | 'NO_DEVICE'
  /** The GPU is older than compute capability 7.5. */
  | 'OLD_DEVICE'
  /** The driver reported an error: the message contains its text. */
  | 'DRIVER_FAILED';

/** The exports of the addon. */
export interface Driver {
  /** @throws {Error} with a {@link DriverErrorCode} as its `code`. */
  open(ordinal: number): Device;
}
