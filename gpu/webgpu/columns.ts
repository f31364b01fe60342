/** Kernels in which several threads of a workgroup share a channel and iterate over the rows. */
import type { ElementsDefinition, Running } from './elements.js';
import { entryPoint, programs, type Variant } from './program.js';
import type { DispatchCall } from './runner.js';

/** Adjacent channels per workgroup, which are read together in each row. */
const CHANNELS = 8;

/** The definition of a kernel over channels. */
export interface ColumnsDefinition extends Omit<ElementsDefinition, 'body'> {
  /** Number of sums over all rows that `sum_of_column` computes at once. */
  readonly sums?: 1 | 2 | 3 | 4;
  /**
   * WGSL of a thread: `c`; `FOR_ROWS(row)`, the head of a loop over the rows of the thread; and `isFirst`, true in one
   * thread of each existing channel. All threads must reach every `sum_of_column`.
   */
  readonly body: string;
}

interface ColumnsCall<V> extends Pick<DispatchCall, 'bind' | 'numbers'> {
  readonly rows: number;
  readonly channels: number;
  readonly variant?: V;
}

/** Returns a function that runs the body for every channel, in one dispatch. */
export function columns<V extends Variant>(
  name: string,
  define: (variant: V) => ColumnsDefinition,
): (running: Running, call: ColumnsCall<V>) => void {
  const program = programs(name, ({ lanes, ...variant }: V & { lanes: number }) => {
    const { functions = '', sums = 1, body, numbers, ...definition } = define(variant as unknown as V);
    const threads = lanes / CHANNELS;
    const type = sums === 1 ? 'f32' : `vec${sums}<f32>`;
    const forRows = (row: string) => `for (var ${row} = thread; ${row} < rows; ${row} += ${threads})`;
    return {
      ...definition,
      numbers: { rows: 'u32', channels: 'u32', ...numbers },
      code: `
        var<workgroup> partial: array<${type}, ${lanes}>;
        fn sum_of_column(lane: u32, value: ${type}) -> ${type} {
          partial[lane] = value;
          workgroupBarrier();
          for (var distance = ${lanes / 2}u; distance >= ${CHANNELS}; distance /= 2) {
            if (lane < distance) { partial[lane] += partial[lane + distance]; }
            workgroupBarrier();
          }
          let sum = partial[lane % ${CHANNELS}];
          workgroupBarrier();
          return sum;
        }
        ${functions}
        ${entryPoint(lanes)} {
          let c = linearWorkgroup(id, count) * ${CHANNELS} + lane % ${CHANNELS};
          let thread = lane / ${CHANNELS};
          let rows = select(0, numbers.rows, c < numbers.channels);
          let isFirst = thread == 0 && c < numbers.channels;
          ${body.replace(/FOR_ROWS\((\w+)\)/g, (_, row) => forRows(row))}
        }
      `,
    };
  });
  return ({ dispatch, limits: { lanes } }, { rows, channels, variant, numbers, bind }) =>
    dispatch(program({ ...(variant as V), lanes }), {
      bind,
      numbers: { ...numbers, rows, channels },
      workgroups: Math.ceil(channels / CHANNELS),
    });
}
