/** The interface of backends in the suite, and the forms in which custom backends are given to `defineBackend`. */
import type { ToleranceClass } from '../plugin/backends.js';
import type { Attributes } from '../plugin/ops/declaration.js';
import type { HostKernelFunction } from '../plugin/ops/spec/spec.js';
import type { CaseTensor } from './case.js';

/** Thrown by a backend's `start` if it is not available: its cases are then skipped with this reason. */
export class BackendMissing extends Error {
  override readonly name = 'BackendMissing';
}

/** Thrown if a backend cannot run an op or a gradient: that case is then skipped with this reason. */
export class NotSupported extends Error {
  override readonly name = 'NotSupported';
}

export interface Backend {
  /** Name in reports. */
  readonly name: string;
  /** Tolerance class, which selects the bounds. */
  readonly tolerance: ToleranceClass;
  /**
   * Makes the backend ready and current.
   * @returns a description of the device
   * @throws {BackendMissing} if it is not available
   */
  start(): Promise<string>;
  /** Outputs of an op, by name. @throws {NotSupported} */
  run(
    op: string,
    inputs: Readonly<Record<string, CaseTensor>>,
    attributes: Attributes,
  ): Promise<Map<string, CaseTensor>>;
  /** Gradients with respect to the floating-point inputs, by input name. @throws {NotSupported} */
  gradients(
    op: string,
    inputs: Readonly<Record<string, CaseTensor>>,
    attributes: Attributes,
    outputGradients: Readonly<Record<string, CaseTensor>>,
  ): Promise<Map<string, CaseTensor>>;
  /** Whether tfjs ops run on it after `start`, so that whole models can be run. */
  readonly runsModels: boolean;
  /** Number of its current tensors and their bytes. */
  memory?(): { readonly numTensors: number; readonly numBytes: number };
  /** Called after the last case. */
  stop?(): Promise<void>;
}

interface CommonDefinition {
  readonly name: string;
  /** `float32` by default. */
  readonly tolerance?: ToleranceClass;
  /** Description of the device; the backend's name by default. */
  readonly device?: string;
}

/** A backend that is registered with tfjs; `start` may import and register whatever it needs. */
export interface TfjsDefinition extends CommonDefinition {
  readonly tfjs: string;
  /** @returns a description of the device, or undefined. @throws {BackendMissing} */
  readonly start?: () => Promise<string | undefined>;
  readonly stop?: () => Promise<void>;
}

/** Kernels over plain arrays, by op name. They replace those of a copy of tfjs's cpu backend, so models can also be run. */
export interface KernelsDefinition extends CommonDefinition {
  readonly kernels: Readonly<Record<string, HostKernelFunction>>;
}

/** Anything else: another process, another machine. Runs single ops; models are skipped. */
export interface FunctionDefinition extends CommonDefinition {
  readonly start?: () => Promise<string | undefined>;
  readonly run: Backend['run'];
  readonly gradients?: Backend['gradients'];
  readonly stop?: () => Promise<void>;
}

export type BackendDefinition = TfjsDefinition | KernelsDefinition | FunctionDefinition;
