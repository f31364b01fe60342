/** Ways to put a fault into a right kernel. */
import type { Attributes } from '../declaration.js';
import { type Fault, type KernelArguments, kernelOf, type NamedValues, type Values } from './spec.js';

/** The right kernel with its inputs or attributes changed before. */
export function before(change: (args: KernelArguments) => Partial<KernelArguments>): Fault {
  return (correct) => (args) => correct({ ...args, ...change(args) });
}

/** The right kernel with its outputs changed after. */
export function after(change: (args: KernelArguments) => void): Fault {
  return (correct) => (args) => {
    correct(args);
    change(args);
  };
}

/** Another formula. */
export function computing(formula: (args: KernelArguments) => NamedValues): Fault {
  return () => kernelOf((args) => formula(args as KernelArguments));
}

/** One input mapped value by value. */
export function mapped(
  name: string,
  f: (value: number, index: number, args: KernelArguments) => number,
): Fault {
  return before((args) => {
    const values = args.inputs[name];
    if (!values) return {};
    return { inputs: { ...args.inputs, [name]: values.map((value, i) => f(value, i, args)) } };
  });
}

/** Inputs that are left out. */
export function without(...names: string[]): Fault {
  return before(({ inputs }) => ({
    inputs: Object.fromEntries(Object.entries(inputs).filter(([name]) => !names.includes(name))),
  }));
}

/** Attributes that are always the same. */
export function always(attributes: Attributes): Fault {
  return before((args) => ({ attributes: { ...args.attributes, ...attributes } }));
}

export function swapped(a: string, b: string): Fault {
  return before(({ inputs }) => ({ inputs: { ...inputs, [a]: inputs[b], [b]: inputs[a] } }));
}

/** Every item of a batch has the first one's values of some inputs. */
export function firstItem(...names: string[]): Fault {
  return before(({ inputs, shapes }) => ({
    inputs: Object.fromEntries(
      Object.entries(inputs).map(([name, values]) => {
        const size = values.length / (shapes[name][0] ?? 1);
        return [name, names.includes(name) ? values.map((_, i) => values[i % size]) : values];
      }),
    ),
  }));
}

/** The last channels or states of an input that do not fill a register of four. */
export function tailMissing(name: string): Fault {
  return mapped(name, (value, i, { shapes }) => {
    const width = shapes[name][shapes[name].length - 1];
    return i % width >= width - (width % 4) ? 0 : value;
  });
}

/** An input rounded to the eleven bits of significand that float16 has. */
export const roundedToFloat16 = (name: string): Fault => mapped(name, toFloat16Precision);

function toFloat16Precision(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const step = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10);
  return Math.round(value / step) * step;
}

/** Values below the smallest normal float32 become 0. */
export const flushed = (name: string): Fault =>
  mapped(name, (value) => (Math.abs(value) < 2 ** -126 ? 0 : value));

/** A kernel that gives what it computed the last time for an output of the same size. */
export const stale =
  (output: string): Fault =>
  (correct) => {
    const kept = new Map<number, Values>();
    return (args) => {
      correct(args);
      const values = args.outputs[output];
      const fresh = values.slice();
      values.set(kept.get(values.length) ?? values);
      kept.set(values.length, fresh);
    };
  };

/** A kernel that adds to a buffer that it does not clear. */
export const uncleared =
  (output: string): Fault =>
  (correct) => {
    const kept = new Map<number, Values>();
    return (args) => {
      correct(args);
      const values = args.outputs[output];
      const old = kept.get(values.length);
      if (old) values.set(values.map((value, i) => value + old[i]));
      kept.set(values.length, values.slice());
    };
  };
