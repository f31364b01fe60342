/** The tfjs backend `cuda`: tensors stay on the device until they are read. */
import {
  type BackendTimingInfo,
  type BackendValues,
  backend_util,
  type DataId,
  DataStorage,
  type DataType,
  engine,
  KernelBackend,
  type TensorInfo,
  util,
} from '@tensorflow/tfjs-core';
import { Allocator, type AllocatorStatistics, type Block, blockSize } from './allocator.js';
import type { Device } from './driver.js';
import { Launcher } from './launch.js';

/** The values of a tensor: on the host until a kernel needs them, then on the device. */
interface TensorData {
  readonly dtype: DataType;
  refCount: number;
  /** Number of elements. */
  readonly size: number;
  values?: BackendValues;
  block?: Block;
  /** A complex tensor is two float32 tensors. */
  complexTensorInfos?: { real: TensorInfo; imag: TensorInfo };
}

/** Options of {@link CudaBackend}. */
export interface CudaBackendOptions {
  /** Maximum device memory to reserve, in bytes. By default what the device has. */
  readonly memoryLimitBytes?: number;
  /** Whether matrix products may round their factors to TF32 (10 bits instead of 23): faster, and less exact. */
  readonly allowTf32?: boolean;
}

/** Kernels count elements in int32. */
const MOST_ELEMENTS = 2 ** 31 - 1;

const ELEMENT_ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;
/** Element types on the device; strings stay on the host, complex tensors are pairs. */
type DeviceDtype = keyof typeof ELEMENT_ARRAYS;
type ElementArray = Float32Array | Int32Array | Uint8Array;

export class CudaBackend extends KernelBackend {
  readonly launcher: Launcher;
  readonly allowTf32: boolean;
  private readonly data: DataStorage<TensorData>;
  private readonly allocator: Allocator;
  private readonly disposeListeners: ((dataId: DataId) => void)[] = [];
  private uploads = 0;
  private downloads = 0;

  constructor(
    readonly device: Device,
    { memoryLimitBytes, allowTf32 = false }: CudaBackendOptions = {},
    private readonly disposed: () => void = () => {},
  ) {
    super();
    this.data = new DataStorage(this, engine());
    // Exact to the byte if accesses are checked, so that those between the end of a tensor and of its block are detected.
    const sizeOf = device.description.checksAccesses ? (bytes: number) => Math.max(1, bytes) : blockSize;
    this.allocator = new Allocator(device, memoryLimitBytes, sizeOf);
    this.launcher = new Launcher(device);
    this.allowTf32 = allowTf32;
  }

  override write(values: BackendValues, shape: number[], dtype: DataType): DataId {
    const dataId = {};
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(
    dataId: DataId,
    values: BackendValues,
    shape: number[],
    dtype: DataType,
    refCount: number,
  ): void {
    const size = util.sizeFromShape(shape);
    if (dtype === 'complex64' && values) {
      // From another backend, as pairs.
      const parts = backend_util.splitRealAndImagArrays(values as Float32Array);
      const part = (numbers: Float32Array): TensorInfo => {
        return { dataId: this.write(numbers, shape, 'float32'), shape, dtype: 'float32' };
      };
      const complexTensorInfos = { real: part(parts.real), imag: part(parts.imag) };
      this.data.set(dataId, { dtype, refCount, size, complexTensorInfos });
      return;
    }
    this.data.set(dataId, { dtype, refCount, size, values });
  }

  /** Allocates a tensor on the device, with undefined contents. */
  allocate(shape: readonly number[], dtype: DataType): { dataId: DataId; block: Block } {
    const size = util.sizeFromShape([...shape]);
    if (size > MOST_ELEMENTS) {
      throw new Error(
        `cuda: a tensor of [${shape}] has ${size} elements, kernels know ${MOST_ELEMENTS} at most`,
      );
    }
    const block = this.allocator.allocate(size * elementBytes(dtype));
    const dataId = {};
    this.data.set(dataId, { dtype, refCount: 1, size, block });
    return { dataId, block };
  }

  /** Makes a complex tensor of two float32 tensors, taking over their references. */
  complex(real: TensorInfo, imag: TensorInfo): TensorInfo {
    const dataId = {};
    this.data.set(dataId, {
      dtype: 'complex64',
      refCount: 1,
      size: util.sizeFromShape(real.shape),
      complexTensorInfos: { real, imag },
    });
    return { dataId, shape: real.shape, dtype: 'complex64' };
  }

  /** Returns the parts of a complex tensor. */
  partsOf({ dataId }: TensorInfo): { real: TensorInfo; imag: TensorInfo } {
    const { complexTensorInfos, dtype } = this.data.get(dataId);
    if (!complexTensorInfos)
      throw new Error(`cuda: a ${dtype} tensor has no parts, expected a complex64 one`);
    return complexTensorInfos;
  }

  /** Returns the location of a tensor on the device. Its values are copied there when a kernel first needs them. */
  blockOf({ dataId }: TensorInfo): Block {
    const tensor = this.data.get(dataId);
    if (!tensor.block) {
      const values = elementsOf(tensor);
      const block = this.allocator.allocate(values.byteLength);
      this.device.upload(block.address, values);
      tensor.block = block; // only now: if the copy fails, the values remain those of the host
      this.uploads++;
      tensor.values = undefined;
    }
    return tensor.block;
  }

  /** Returns the number of values of a tensor, whatever shape it is viewed in. */
  sizeOf({ dataId }: TensorInfo): number {
    return this.data.get(dataId).size;
  }

  /** Returns the values of a tensor that has not been copied to the device yet; undefined if reading would have to wait. */
  hostValuesOf({ dataId }: TensorInfo): BackendValues | undefined {
    return this.data.get(dataId).values;
  }

  /** Allocates memory for the duration of a kernel. */
  scratch(bytes: number): Block {
    return this.allocator.allocate(bytes);
  }

  release(block: Block): void {
    this.allocator.release(block);
  }

  override refCount(dataId: DataId): number {
    return this.data.has(dataId) ? this.data.get(dataId).refCount : 0;
  }

  override incRef(dataId: DataId): void {
    this.data.get(dataId).refCount++;
  }

  override numDataIds(): number {
    return this.data.numDataIds();
  }

  override disposeData(dataId: DataId, force = false): boolean {
    if (!this.data.has(dataId)) return true;
    const tensor = this.data.get(dataId);
    tensor.refCount--;
    if (!force && tensor.refCount > 0) return false;
    if (tensor.complexTensorInfos) {
      this.disposeData(tensor.complexTensorInfos.real.dataId);
      this.disposeData(tensor.complexTensorInfos.imag.dataId);
    }
    if (tensor.block) this.allocator.release(tensor.block);
    this.data.delete(dataId);
    for (const listener of this.disposeListeners) listener(dataId);
    return true;
  }

  /** Registers a callback for when the values of a tensor are disposed of, to free what was computed from them. */
  onDispose(listener: (dataId: DataId) => void): void {
    this.disposeListeners.push(listener);
  }

  /** Reads once all earlier work is done, without blocking the event loop. */
  override async read(dataId: DataId): Promise<BackendValues> {
    const tensor = this.data.get(dataId);
    if (tensor.complexTensorInfos) {
      const { real, imag } = tensor.complexTensorInfos;
      const parts = await Promise.all([this.read(real.dataId), this.read(imag.dataId)]);
      return merge(parts[0], parts[1]);
    }
    if (!tensor.block) return hostValues(tensor);
    const target = newArray(tensor);
    this.downloads++;
    await this.device.download(tensor.block.address, target);
    return target;
  }

  /** Reads, and blocks until all earlier work is done. */
  override readSync(dataId: DataId): BackendValues {
    const tensor = this.data.get(dataId);
    if (tensor.complexTensorInfos) {
      const { real, imag } = tensor.complexTensorInfos;
      return merge(this.readSync(real.dataId), this.readSync(imag.dataId));
    }
    if (!tensor.block) return hostValues(tensor);
    const target = newArray(tensor);
    this.downloads++;
    this.device.downloadSync(tensor.block.address, target);
    return target;
  }

  override timerAvailable(): boolean {
    return true;
  }

  /** Measures the milliseconds that the device spends on `run`. Rethrows its errors, on which tfjs's debug mode relies. */
  override time(run: () => void): Promise<BackendTimingInfo> {
    const start = this.device.recordEvent();
    run();
    const end = this.device.recordEvent();
    return this.device.elapsed(start, end).then((kernelMs) => ({ kernelMs }));
  }

  override memory(): {
    unreliable: boolean;
    numBytesOnDevice: number;
    numBytesReserved: number;
  } {
    const { used, reserved } = this.statistics();
    return { unreliable: false, numBytesOnDevice: used, numBytesReserved: reserved };
  }

  statistics(): AllocatorStatistics {
    return this.allocator.statistics();
  }

  /** Counts since the start: kernels launched, tensors copied to the device and back. */
  get counts(): { launches: number; uploads: number; downloads: number } {
    return { launches: this.launcher.count, uploads: this.uploads, downloads: this.downloads };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override dispose(): void {
    this.device.close();
    this.disposed();
  }
}

/**
 * Returns the bytes of an element on the device.
 * @throws {Error} for types that a device does not support.
 */
export function elementBytes(dtype: DataType): number {
  return elementArray(dtype).BYTES_PER_ELEMENT;
}

function elementArray(dtype: DataType): (typeof ELEMENT_ARRAYS)[DeviceDtype] {
  const array = ELEMENT_ARRAYS[dtype as DeviceDtype];
  if (!array) throw new Error(`cuda: a ${dtype} tensor has no values on the device`);
  return array;
}

function newArray({ dtype, size }: TensorData): ElementArray {
  return new (elementArray(dtype))(size);
}

/** Returns the values of a tensor on the host in the device's format. */
function elementsOf({ dtype, values, size }: TensorData): ElementArray {
  const Elements = elementArray(dtype);
  if (!values) return new Elements(size);
  if (values.length !== size) {
    throw new Error(`cuda: a tensor of ${size} elements was given ${values.length} values`);
  }
  return values instanceof Elements ? values : Elements.from(values as ArrayLike<number>);
}

/** A copy, because changing it must not change the tensor, as with values from the device. */
function hostValues({ values, dtype }: TensorData): BackendValues {
  const copy = ArrayBuffer.isView(values) ? (values as ElementArray).slice() : values;
  return util.convertBackendValuesAndArrayBuffer(copy as BackendValues, dtype) as BackendValues;
}

function merge(real: BackendValues, imag: BackendValues): Float32Array {
  return backend_util.mergeRealAndImagArrays(real as Float32Array, imag as Float32Array);
}
