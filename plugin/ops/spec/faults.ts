/** Ways to inject faults into a correct kernel. */
import type { Attributes } from '../declaration.js';
import { type Fault, type KernelArguments, kernelOf, type NamedValues, type Values } from './spec.js';

/** Changes the inputs or attributes before the correct kernel runs. */
export function before(change: (args: KernelArguments) => Partial<KernelArguments>): Fault {
  return (correct) => (args) => correct({ ...args, ...change(args) });
}

/** Changes the outputs after the correct kernel has run. */
export function after(change: (args: KernelArguments) => void): Fault {
  return (correct) => (args) => {
    correct(args);
    change(args);
  };
}

/** Replaces the formula. */
export function computing(formula: (args: KernelArguments) => NamedValues): Fault {
  return () => kernelOf((args) => formula(args as KernelArguments));
}

/** A value instead of another. */
type ChangeOfValue = (value: number, index: number, args: KernelArguments) => number;

/** Maps one input value by value. */
export function mapped(name: string, f: ChangeOfValue): Fault {
  return before((args) => {
    const values = args.inputs[name];
    if (!values) return {};
    return { inputs: { ...args.inputs, [name]: values.map((value, i) => f(value, i, args)) } };
  });
}

/** Maps one output value by value. */
export function changed(name: string, f: ChangeOfValue): Fault {
  return after((args) => {
    const values = args.outputs[name];
    values.set(values.map((value, i) => f(value, i, args)));
  });
}

/** Omits inputs. */
export function without(...names: string[]): Fault {
  return before(({ inputs }) => ({
    inputs: Object.fromEntries(Object.entries(inputs).filter(([name]) => !names.includes(name))),
  }));
}

/** Fixes attributes to constant values. */
export function always(attributes: Attributes): Fault {
  return before((args) => ({ attributes: { ...args.attributes, ...attributes } }));
}

export function swapped(a: string, b: string): Fault {
  return before(({ inputs }) => ({ inputs: { ...inputs, [a]: inputs[b], [b]: inputs[a] } }));
}

/** Uses the first item's values of some inputs for every item of a batch. */
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

/** Ignores the last channels or states of an input that do not fill a register of four. */
export function tailMissing(name: string): Fault {
  return mapped(name, (value, i, { shapes }) => {
    const width = shapes[name][shapes[name].length - 1];
    return i % width >= width - (width % 4) ? 0 : value;
  });
}

/** Rounds an input to the 11-bit significand of float16. */
export const roundedToFloat16 = (name: string): Fault => mapped(name, toFloat16Precision);

function toFloat16Precision(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const step = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10);
  return Math.round(value / step) * step;
}

/** Flushes values below the smallest normal float32 to 0. */
export const flushed = (name: string): Fault =>
  mapped(name, (value) => (Math.abs(value) < 2 ** -126 ? 0 : value));

/** Returns the result of the previous call for an output of the same size. */
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

/** Adds to a buffer that is not cleared. */
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
