/** What a fault is, and ways to put one into a right kernel. */
import type { HostKernelFunction } from '../backend.js';
import { CORRECT_KERNELS } from './correct_kernels.js';

export interface Fault {
  readonly name: string;
  /** The op whose kernel has it. */
  readonly op: string;
  readonly kernel: () => HostKernelFunction;
}

export type Arguments = Parameters<HostKernelFunction>[0];

/** The right kernel with its inputs or attributes changed before. */
export function before(
  op: string,
  change: (args: Arguments) => Partial<Arguments>,
): () => HostKernelFunction {
  return () => (args) => CORRECT_KERNELS[op]({ ...args, ...change(args) });
}

/** The right kernel with its outputs changed after. */
export function after(op: string, change: (args: Arguments) => void): () => HostKernelFunction {
  return () => (args) => {
    CORRECT_KERNELS[op](args);
    change(args);
  };
}

/** One input mapped value by value. */
export function mapped(
  op: string,
  name: string,
  f: (value: number, index: number, args: Arguments) => number,
) {
  return before(op, (args) => ({
    inputs: { ...args.inputs, [name]: args.inputs[name].map((value, i) => f(value, i, args)) },
  }));
}

/** Eleven bits of significand, as float16 has. */
export function toFloat16Precision(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const step = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10);
  return Math.round(value / step) * step;
}

/** Values below the smallest normal float32 become 0. */
export function flushed(value: number): number {
  return Math.abs(value) < 2 ** -126 ? 0 : value;
}
