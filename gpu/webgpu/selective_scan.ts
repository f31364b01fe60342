/**
 * SelectiveScan. Four threads share a channel, with four of its states each; 16 states are a pass, and more states take more
 * passes, which add to y. Tokens are processed in a loop. The readouts of a channel's threads are added once for several
 * tokens, to reduce the number of barriers.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { SelectiveScan } from '../../plugin/ops/selective_scan.js';
import { floats, type Running } from './elements.js';
import { registerWebgpuKernel } from './kernels.js';
import { entryPoint, programs } from './program.js';
import type { Binding } from './runner.js';

/** Threads per channel. */
const GROUP = 4;
/** States per pass. */
export const STATES_A_PASS = 4 * GROUP;
/** Maximum threads per workgroup: they share nothing but the gates of tokens. */
const MOST_LANES = 64;
/** Tokens between barriers. */
const CHUNK = 16;

/** How the threads of a scan are arranged. */
export function scanLayout(shape: readonly number[], lanes: number) {
  const [batch, length, channels] = shape;
  const threads = Math.min(lanes, MOST_LANES);
  const tiles = Math.ceil((GROUP * channels) / threads);
  return { threads, tiles, workgroups: batch * tiles, batch, length, channels };
}

/** Numbers of a scan in WGSL. */
export const scanNumbers = {
  batch: 'u32',
  length: 'u32',
  channels: 'u32',
  states: 'u32',
  tiles: 'u32',
} as const;

/** WGSL of a function that reads four values of a row of states: zeros beyond the last. */
const fourAt = (name: string, row: string, value: string) => `
  fn ${name}(${row}: u32, state: u32) -> vec4<f32> {
    var four = vec4(0.0);
    for (var k = 0u; k < 4; k++) {
      if (state + k < numbers.states) { four[k] = ${value}; }
    }
    return four;
  }
`;

/** What a pass of a scan needs of its thread. */
export const SCAN_FUNCTIONS = `
  struct Thread { image: u32, channel: u32, inside: bool, state: u32 }

  fn thread_of(work: u32, lane: u32, threads: u32) -> Thread {
    let channel = work % numbers.tiles * (threads / ${GROUP}) + lane / ${GROUP};
    return Thread(work / numbers.tiles, channel, channel < numbers.channels, lane % ${GROUP} * 4);
  }

  ${fourAt('inputs_at', 'token', 'inputGate[token * numbers.states + state + k]')}
  ${fourAt('rates_at', 'channel', '-exp(logA[channel * numbers.states + state + k])')}
`;

interface ScanOptions {
  readonly threads: number;
  /** Whether the scan starts with given states. */
  readonly hasState?: boolean;
  /** WGSL of the subtree sums of token t, in thread `at`. */
  readonly subtrees?: string;
}

/** WGSL of the recurrence: `recur(at, lane, beyond)`, and the memory that the threads share. */
export function recurrence({ threads, hasState = false, subtrees }: ScanOptions): string {
  const channels = threads / GROUP;
  return `
    var<workgroup> partial: array<f32, ${CHUNK * threads}>;

    ${fourAt('outputs_at', 'token', 'outputGate[token * numbers.states + state + k]')}
    fn recur(at: Thread, lane: u32, beyond: u32) {
      let firstToken = at.image * numbers.length;
      let ofState = (at.image * numbers.channels + at.channel) * numbers.states + at.state;
      var h = vec4(0.0);
      var rate = vec4(0.0);
      if (at.inside) {
        rate = rates_at(at.channel, at.state);
        ${hasState ? 'for (var k = 0u; k < 4; k++) { if (at.state + k < numbers.states) { h[k] = state[ofState + k]; } }' : ''}
      }
      for (var start = 0u; start < numbers.length; start += ${CHUNK}) {
        let count = min(${CHUNK}u, numbers.length - start);
        if (at.inside) {
          for (var j = 0u; j < count; j++) {
            let token = firstToken + start + j;
            let here = token * numbers.channels + at.channel;
            let added = numbers.inputScale * deltaU[here] * inputs_at(token, at.state);
            h = exp(rate * step[here]) * h + added;
            let seen = h${subtrees ? ` + numbers.treeWeight * ${subtrees}(at, start + j, lane)` : ''};
            partial[j * ${threads} + lane] = dot(seen, outputs_at(token, at.state));
          }
        }
        workgroupBarrier();
        for (var i = lane; i < count * ${channels}; i += ${threads}) {
          let channel = at.channel - lane / ${GROUP} + i % ${channels};
          if (channel < numbers.channels) {
            let first = i / ${channels} * ${threads} + i % ${channels} * ${GROUP};
            let sum = partial[first] + partial[first + 1] + (partial[first + 2] + partial[first + 3]);
            let here = (firstToken + start + i / ${channels}) * numbers.channels + channel;
            if (beyond == 0) { y[here] = sum; } else { y[here] += sum; }
          }
        }
        workgroupBarrier();
      }
      if (at.inside) {
        ${subtrees ? `h += numbers.treeWeight * ${subtrees}(at, numbers.length - 1, lane);` : ''}
        for (var k = 0u; k < 4; k++) { if (at.state + k < numbers.states) { nextState[ofState + k] = h[k]; } }
      }
    }
  `;
}

/** WGSL of a thread's loop over the passes. Without states there is one pass, of zeros. */
export const passes = (body: string) => `
  for (var beyond = 0u; beyond == 0 || beyond < numbers.states; beyond += ${STATES_A_PASS}) {
    ${body}
    at.state += ${STATES_A_PASS};
  }
`;

const scan = programs('SelectiveScan', ({ threads, hasState }: { threads: number; hasState: boolean }) => ({
  reads: floats('step', 'deltaU', 'logA', 'inputGate', 'outputGate', ...(hasState ? ['state'] : [])),
  writes: floats('y', 'nextState'),
  numbers: { ...scanNumbers, inputScale: 'f32' },
  code: `
    ${SCAN_FUNCTIONS}
    ${recurrence({ threads, hasState })}
    ${entryPoint(threads)} {
      let work = linearWorkgroup(id, count);
      if (work >= numbers.batch * numbers.tiles) { return; }
      var at = thread_of(work, lane, ${threads});
      ${passes('recur(at, lane, beyond);')}
    }
  `,
}));

interface ScanTensors {
  /** [B, L, D] */
  readonly step: Binding;
  readonly deltaU: Binding;
  /** [D, N] */
  readonly logA: TensorInfo;
  /** [B, L, N] */
  readonly inputGate: Binding;
  readonly outputGate: Binding;
  /** [B, D, N] */
  readonly state?: TensorInfo;
  /** [B, L, D] */
  readonly y: Binding;
  /** [B, D, N] */
  readonly nextState: TensorInfo;
}

/**
 * Runs the scan.
 * @param shape [B, L, D] of step
 */
export function scanTokens(
  { dispatch, limits }: Running,
  shape: readonly number[],
  tensors: ScanTensors,
  inputScale: number,
): void {
  const { threads, workgroups, ...layout } = scanLayout(shape, limits.lanes);
  dispatch(scan({ threads, hasState: tensors.state !== undefined }), {
    bind: { ...tensors },
    numbers: { ...layout, inputScale, states: tensors.logA.shape[1] },
    workgroups,
  });
}

registerWebgpuKernel(SelectiveScan, ({ inputs, outputs, shapes, attributes, ...running }) => {
  scanTokens(running, shapes.step, { ...inputs, ...outputs }, attributes.inputScale);
});
