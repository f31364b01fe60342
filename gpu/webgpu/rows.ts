/** Kernels in which some threads of a workgroup share a row of channels. */
import type { ElementsDefinition, Running } from './elements.js';
import { programs, type Variant } from './program.js';
import type { DispatchCall } from './runner.js';

/** Threads a row: a power of 2, few enough that none is idle for long. */
const threadsOf = (channels: number, lanes: number) => Math.min(channels > 256 ? 64 : 32, lanes);

/** What a kernel of rows is made of. */
export interface RowsDefinition extends Omit<ElementsDefinition, 'body'> {
  /** How many sums over a row `sum_of_row` takes at once. */
  readonly sums?: 1 | 2 | 3 | 4;
  /**
   * WGSL of a thread: `row`, `first` (the index of its first channel), `inside` (whether there is such a row), and
   * `FOR_CHANNELS(c)`, the head of a loop over the channels of the thread. All threads must come to every `sum_of_row`.
   */
  readonly body: string;
}

interface RowsCall<V> extends Pick<DispatchCall, 'bind' | 'numbers'> {
  readonly rows: number;
  readonly channels: number;
  readonly variant?: V;
}

/** Makes a function that runs the body for every row, in one dispatch. */
export function rows<V extends Variant>(
  name: string,
  define: (variant: V) => RowsDefinition,
): (running: Running, call: RowsCall<V>) => void {
  const program = programs(name, ({ lanes, threads, ...variant }: V & { lanes: number; threads: number }) => {
    const { functions = '', sums = 1, body, numbers, ...definition } = define(variant as unknown as V);
    const forChannels = (c: string) => `for (var ${c} = thread; ${c} < channels; ${c} += ${threads})`;
    return {
      ...definition,
      numbers: { rows: 'u32', channels: 'u32', ...numbers },
      code: `
        ${sumOfRow(lanes, threads, sums)}
        ${functions}
        @compute @workgroup_size(${lanes})
        fn main(
          @builtin(workgroup_id) id: vec3<u32>,
          @builtin(num_workgroups) count: vec3<u32>,
          @builtin(local_invocation_index) lane: u32,
        ) {
          let row = linearWorkgroup(id, count) * ${lanes / threads} + lane / ${threads};
          let inside = row < numbers.rows;
          let first = row * numbers.channels;
          let thread = lane % ${threads};
          let channels = select(0, numbers.channels, inside);
          ${body.replace(/FOR_CHANNELS\((\w+)\)/g, (_, c) => forChannels(c))}
        }
      `,
    };
  });
  return ({ dispatch, limits: { lanes } }, { rows, channels, variant, numbers, bind }) => {
    const threads = threadsOf(channels, lanes);
    dispatch(program({ ...(variant as V), lanes, threads }), {
      bind,
      numbers: { ...numbers, rows, channels },
      workgroups: Math.ceil((rows * threads) / lanes),
    });
  };
}

/** The sums over the threads of a row, in all of them. */
function sumOfRow(lanes: number, threads: number, sums: 1 | 2 | 3 | 4): string {
  const type = sums === 1 ? 'f32' : `vec${sums}<f32>`;
  return `
    var<workgroup> partial: array<${type}, ${lanes}>;
    fn sum_of_row(lane: u32, value: ${type}) -> ${type} {
      partial[lane] = value;
      workgroupBarrier();
      for (var distance = ${threads / 2}u; distance > 0; distance /= 2) {
        if (lane % ${threads} < distance) { partial[lane] += partial[lane + distance]; }
        workgroupBarrier();
      }
      let sum = partial[lane - lane % ${threads}];
      workgroupBarrier();
      return sum;
    }
  `;
}

/**
 * WGSL that declares the mean and the inverse deviation of the values of a row, as `<name>_mean` and `<name>_inverse`.
 * In two passes: x^2 - mean^2 would cancel.
 * @param value an expression of the channel c
 */
export function moments(name: string, value: string): string {
  return `
    var ${name}_sum = 0.0;
    FOR_CHANNELS(c) { ${name}_sum += ${value}; }
    let ${name}_mean = sum_of_row(lane, ${name}_sum) / f32(numbers.channels);
    var ${name}_squares = 0.0;
    FOR_CHANNELS(c) {
      let centred = ${value} - ${name}_mean;
      ${name}_squares += centred * centred;
    }
    let ${name}_variance = sum_of_row(lane, ${name}_squares) / f32(numbers.channels);
    let ${name}_inverse = 1.0 / sqrt(${name}_variance + numbers.epsilon);
  `;
}
