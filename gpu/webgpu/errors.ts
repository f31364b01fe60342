/** The errors of the backend `webgpu`: the class tells what a caller can do, the code what happened. */

/** Why there is no device to run on. */
export type WebgpuUnavailableCode =
  /** The page, or the browser, has no `navigator.gpu`. */
  | 'NO_WEBGPU'
  /** Node has no package `webgpu`. */
  | 'NOT_INSTALLED'
  /** The package exists but does not load on this system. */
  | 'NOT_LOADED'
  /** There is no GPU, or no driver that WebGPU supports. */
  | 'NO_ADAPTER'
  /** The adapter provides no device with the requested features. */
  | 'NO_DEVICE';

export type WebgpuErrorCode =
  | WebgpuUnavailableCode
  | 'DEVICE_LOST'
  | 'OUT_OF_MEMORY'
  /** A shader, its layout or its limits were rejected. */
  | 'INVALID_KERNEL'
  /** The browser or the driver failed. */
  | 'INTERNAL'
  /** Values on the device were requested synchronously. */
  | 'READ_SYNCHRONOUSLY';

/** Any error of the backend `webgpu`. */
export class WebgpuError extends Error {
  override readonly name: string = 'WebgpuError';
  constructor(
    readonly code: WebgpuErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`webgpu: ${message}`, options);
  }
}

/** There is no device to run on: the message names the cause and how to fix it. */
export class WebgpuUnavailableError extends WebgpuError {
  override readonly name = 'WebgpuUnavailableError';
  declare readonly code: WebgpuUnavailableCode;
  constructor(code: WebgpuUnavailableCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/** The device was lost, and with it all tensors on it. `startWebgpu()` creates a new backend. */
export class WebgpuDeviceLostError extends WebgpuError {
  override readonly name = 'WebgpuDeviceLostError';
  constructor(reason: string) {
    super(
      'DEVICE_LOST',
      `the device was lost (${reason}), and with it all tensors on it; start a new backend with startWebgpu() and load ` +
        'the model again',
    );
  }
}

/** The device has too little memory. Tensors from before the failed call remain valid, and the backend usable. */
export class WebgpuOutOfMemoryError extends WebgpuError {
  override readonly name = 'WebgpuOutOfMemoryError';
  constructor(what: string) {
    super('OUT_OF_MEMORY', `out of memory: ${what}; dispose tensors, or use a smaller batch`);
  }
}
