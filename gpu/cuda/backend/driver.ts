/**
 * The narrow driver interface: all that the backend asks of a device. The native addon implements it twice, by the
 * CUDA driver API and, for tests without a GPU, by an emulation on the host. Everything is done in the order in which it is asked
 * for (one stream); nothing waits unless it says so.
 */

/** What a device is. */
export interface DeviceDescription {
  /** `host emulation` is no GPU: it runs the same kernels thread by thread, for tests. */
  readonly kind: 'cuda' | 'host emulation';
  /** Such as `NVIDIA H200`. */
  readonly name: string;
  /** Major and minor compute capability, such as `9.0`; empty for the emulation. */
  readonly computeCapability: string;
  /** The CUDA version that the driver supports, such as `13.0`; empty for the emulation. */
  readonly driverVersion: string;
  readonly multiprocessors: number;
  /** The most shared memory that one block may ask for, in bytes. */
  readonly sharedBytesPerBlock: number;
  readonly totalBytes: number;
  /** Whether every access of a kernel has to lie in memory that was allocated, to the byte. */
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
  /** Elements from one matrix of the batch to the next; 0 uses one matrix for all. */
  readonly strideA: number;
  readonly strideB: number;
  readonly strideC: number;
  /** Round the factors to TF32 (10 bits): faster, and less exact. */
  readonly allowTf32: boolean;
}

/** The `code` of errors that an open device throws: nothing is wrong with what it was asked for. */
export const DEVICE_FAILED = 'DEVICE_FAILED';

/** An open device. Addresses are plain numbers: device addresses have 49 bits at most. */
export interface Device {
  readonly description: DeviceDescription;
  /**
   * Arguments of the next launch, packed as C++ lays out the parameters of the kernel: each aligned to its own size,
   * pointers 8 bytes, int32 and float32 4. 4096 bytes.
   */
  readonly argumentBytes: ArrayBuffer;
  /** @returns the number by which a kernel is launched. @throws {Error} when there is none of this name */
  findKernel(name: string): number;
  /** Starts a kernel with the arguments that lie in {@link argumentBytes}, of which it uses the first `argumentSize`. */
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
  /** @returns an address aligned to 256 bytes, or 0 when the device has too little memory. */
  allocate(bytes: number): number;
  /** Waits for what uses the memory. */
  free(address: number): void;
  /** Copies from the host. The source may be changed as soon as this returns. */
  upload(address: number, source: ArrayBufferView): void;
  /** Copies to the host, when all that was asked for before is done. The event loop is not blocked. */
  download(address: number, target: ArrayBufferView): Promise<void>;
  /** Copies to the host, and waits. */
  downloadSync(address: number, target: ArrayBufferView): void;
  copy(to: number, from: number, bytes: number): void;
  /** Writes `count` times the 32 bits of `pattern`. */
  fill(address: number, pattern: number, count: number): void;
  /** Waits until all that was asked for is done. @throws {Error} when something of it failed */
  synchronize(): void;
  /** A mark in the order of work, for {@link elapsed}. */
  recordEvent(): number;
  /** Milliseconds between two events, which are freed. The event loop is not blocked. */
  elapsed(start: number, end: number): Promise<number>;
  /** Whether cuBLAS was found; without it {@link multiply} throws. */
  readonly hasMatrixLibrary: boolean;
  multiply(product: MatrixProduct): void;
  /** Bytes of the device that no program uses. */
  freeBytes(): number;
  /** Gives everything back. Nothing may be called afterwards. */
  close(): void;
}

/** Why there is no device: the `code` of the error that `Driver.open` throws. */
export type DriverErrorCode =
  /** libcuda.so.1 is not there. */
  | 'NO_DRIVER'
  /** The driver is older than CUDA 12, or than the toolkit that the addon was built with. */
  | 'OLD_DRIVER'
  /** No GPU, or none with this number. */
  | 'NO_DEVICE'
  /** The GPU is older than compute capability 7.5. */
  | 'OLD_DEVICE'
  /** The driver refused: its own words are in the message. */
  | 'DRIVER_FAILED';

/** What the addon exports. */
export interface Driver {
  /** @throws {Error} with a {@link DriverErrorCode} as its `code` */
  open(ordinal: number): Device;
}
