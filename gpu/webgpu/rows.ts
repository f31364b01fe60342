/** Kernels in which several threads of a workgroup share a row of channels. */
import type { ElementsDefinition, Running } from './elements.js';
import { PINNED } from './functions.js';
import { entryPoint, programs, type Variant } from './program.js';
import type { DispatchCall } from './runner.js';

/** Threads per row: a power of 2, few enough that none is idle for long. */
const threadsOf = (channels: number, lanes: number) =>
  Math.min(channels > 256 ? 64 : channels > 8 ? 32 : 8, lanes);

/** The definition of a kernel over rows. */
export interface RowsDefinition extends Omit<ElementsDefinition, 'body'> {
  /**
   * WGSL of a thread: `row`, `first` (the index of its first channel), `FOR_CHANNELS(c)`, the head of a loop over the
   * channels of the thread, and `isFirst`, true in one thread of each existing row. All threads must reach every
   * `sum_of_row`, and `sums_of_row` for two. `pinned` is that of {@link PINNED}.
   */
  readonly body: string;
}

export interface RowsCall<V> extends Pick<DispatchCall, 'bind' | 'numbers'> {
  readonly rows: number;
  readonly channels: number;
  readonly variant?: V;
}

/** Returns a function that runs the body for every row, in one dispatch. */
export function rows<V extends Variant>(
  name: string,
  define: (variant: V) => RowsDefinition,
): (running: Running, call: RowsCall<V>) => void {
  const program = programs(name, ({ lanes, threads, ...variant }: V & { lanes: number; threads: number }) => {
    const { functions = '', body, numbers, ...definition } = define(variant as unknown as V);
    const forChannels = (c: string) => `for (var ${c} = thread; ${c} < channels; ${c} += ${threads})`;
    return {
      ...definition,
      numbers: { rows: 'u32', channels: 'u32', inverseChannels: 'f32', zero: 'u32', ...numbers },
      code: `
        ${sumOfRow('sum_of_row', 'f32', lanes, threads)}
        ${sumOfRow('sums_of_row', 'vec2<f32>', lanes, threads)}
        ${PINNED}
        ${functions}
        ${entryPoint(lanes)} {
          let row = linearWorkgroup(id, count) * ${lanes / threads} + lane / ${threads};
          let first = row * numbers.channels;
          let thread = lane % ${threads};
          let channels = select(0, numbers.channels, row < numbers.rows);
          let isFirst = thread == 0 && row < numbers.rows;
          ${body.replace(/FOR_CHANNELS\((\w+)\)/g, (_, c) => forChannels(c))}
        }
      `,
    };
  });
  return ({ dispatch, limits: { lanes } }, { rows, channels, variant, numbers, bind }) => {
    const threads = threadsOf(channels, lanes);
    dispatch(program({ ...(variant as V), lanes, threads }), {
      bind,
      numbers: { ...numbers, rows, channels, inverseChannels: 1 / channels, zero: 0 },
      workgroups: Math.ceil((rows * threads) / lanes),
    });
  };
}

/** The sums over the threads of a row, in all of them. */
function sumOfRow(name: string, type: string, lanes: number, threads: number): string {
  return `
    var<workgroup> ${name}_parts: array<${type}, ${lanes}>;
    fn ${name}(lane: u32, value: ${type}) -> ${type} {
      ${name}_parts[lane] = value;
      workgroupBarrier();
      for (var distance = ${threads / 2}u; distance > 0; distance /= 2) {
        if (lane % ${threads} < distance) { ${name}_parts[lane] += ${name}_parts[lane + distance]; }
        workgroupBarrier();
      }
      let sum = ${name}_parts[lane - lane % ${threads}];
      workgroupBarrier();
      return sum;
    }
  `;
}

/**
 * WGSL that declares the mean and the inverse deviation of the values of a row, as `<name>_mean` and `<name>_inverse`. In
 * two passes, because x^2 - mean^2 would cancel. Nothing is divided by the number of channels: a GPU may be off by an ulp
 * even if that is 1, and the value would then differ from its own mean (seen on an H200).
 * @param value an expression of the channel c
 */
export function moments(name: string, value: string): string {
  return `
    var ${name}_sum = 0.0;
    FOR_CHANNELS(c) { ${name}_sum += ${value}; }
    let ${name}_mean = sum_of_row(lane, ${name}_sum) * numbers.inverseChannels;
    var ${name}_squares = 0.0;
    FOR_CHANNELS(c) {
      let centred = ${value} - ${name}_mean;
      ${name}_squares += centred * centred;
    }
    let ${name}_variance = sum_of_row(lane, ${name}_squares) * numbers.inverseChannels;
    let ${name}_inverse = 1.0 / sqrt(${name}_variance + numbers.epsilon);
  `;
}

/**
 * WGSL that declares the means of a gradient and of its products with the normalised values of a row, as `<name>.x` and
 * `<name>.y`: the gradient through the normalisation is inverse * (gradient - mean - normalised * slope). There the gradient
 * must be `pinned`: fused with the difference it is not the value that the mean was computed from, and with one channel the
 * difference is not 0 (seen on an H200).
 * @param gradient of the normalised value of a channel c, `normalized`
 */
export function gradientMeans(name: string, gradient: string, normalized: string): string {
  return `
    var ${name}_sums = vec2(0.0);
    FOR_CHANNELS(c) { ${name}_sums += ${gradient} * vec2(1.0, ${normalized}); }
    let ${name} = sums_of_row(lane, ${name}_sums) * numbers.inverseChannels;
  `;
}
