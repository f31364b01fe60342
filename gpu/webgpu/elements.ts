/** Kernels in which a thread computes an element of a result, or one of each of several results. */
import { entryPoint, type ProgramDefinition, programs, type Variant } from './program.js';
import type { Dispatch, DispatchCall, KernelLimits } from './runner.js';

/** Buffers of float32, by name, as types for a program. */
export function floats(...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, 'f32']));
}

/** The definition of a kernel of independent threads. */
export interface ElementsDefinition extends Omit<ProgramDefinition, 'code'> {
  /** WGSL functions. */
  readonly functions?: string;
  /** WGSL of a thread: `i`, below `numbers.size`. */
  readonly body: string;
}

/** The kernel arguments that are needed to run programs. */
export interface Running {
  readonly dispatch: Dispatch;
  readonly limits: KernelLimits;
}

interface ElementsCall<V> extends Pick<DispatchCall, 'bind' | 'numbers'> {
  /** Number of threads. */
  readonly size: number;
  readonly variant?: V;
}

/** Returns a function that runs the body for every i below a size, in one dispatch. */
export function elements<V extends Variant>(
  name: string,
  define: (variant: V) => ElementsDefinition,
): (running: Running, call: ElementsCall<V>) => void {
  const program = programs(name, ({ lanes, ...variant }: V & { lanes: number }) => {
    const { functions = '', body, numbers, ...definition } = define(variant as unknown as V);
    return {
      ...definition,
      numbers: { size: 'u32', ...numbers },
      code: `
        ${functions}
        ${entryPoint(lanes)} {
          let i = linearWorkgroup(id, count) * ${lanes} + lane;
          if (i >= numbers.size) { return; }
          ${body}
        }
      `,
    };
  });
  return ({ dispatch, limits: { lanes } }, { size, variant, numbers, bind }) =>
    dispatch(program({ ...(variant as V), lanes }), {
      bind,
      numbers: { ...numbers, size },
      workgroups: Math.ceil(size / lanes),
    });
}
