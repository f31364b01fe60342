/** Faults of the ops of the language model. */
import {
  causalConvolution,
  rootMeanSquareNormalization,
  type SelectiveInputs,
  type SelectiveSizes,
  selectiveScan,
  selectiveTreeScan,
} from '../oracles/language_ops.js';
import { type RootedTree, treeOfParentIds } from '../oracles/rooted_tree.js';
import { CORRECT_KERNELS } from './correct_kernels.js';
import { type Arguments, after, before, type Fault, mapped, toFloat16Precision } from './fault.js';
import { selectiveInputsOf, sizesOf, treesOf, writing } from './language_kernels.js';

const faults = (op: string, kernels: Readonly<Record<string, Fault['kernel']>>): Fault[] =>
  Object.entries(kernels).map(([name, kernel]) => ({ name, op, kernel }));

const formula = (run: Parameters<typeof writing>[0]) => () => writing(run);

const without = (op: string, ...names: string[]) =>
  before(op, ({ inputs }) => ({
    inputs: Object.fromEntries(Object.entries(inputs).filter(([name]) => !names.includes(name))),
  }));

const withAttribute = (op: string, name: string, value: number) =>
  before(op, ({ attributes }) => ({ attributes: { ...attributes, [name]: value } }));

const swapped = (op: string, a: string, b: string) =>
  before(op, ({ inputs }) => ({ inputs: { ...inputs, [a]: inputs[b], [b]: inputs[a] } }));

/** Every item of a batch has the first one's values of an input. */
const firstItem = (op: string, name: string) =>
  mapped(op, name, (_, i, { inputs, shapes }) => {
    return inputs[name][i % (inputs[name].length / shapes[name][0])];
  });

/** The last channels or states of an input that do not fill a register of four. */
const tailMissing = (op: string, name: string) =>
  mapped(op, name, (value, i, { shapes }) => {
    const width = shapes[name][shapes[name].length - 1];
    return i % width >= width - (width % 4) ? 0 : value;
  });

function convolution(args: Arguments, x = args.inputs.x, filter = args.inputs.filter) {
  const [batch, length, channels] = args.shapes.x;
  const { bias, past } = args.inputs;
  return causalConvolution(x, filter, bias, past, { batch, length, channels });
}

const scan = (
  change: (
    args: Arguments,
    inputs: SelectiveInputs,
    sizes: SelectiveSizes,
  ) => Partial<SelectiveInputs> & { trees?: readonly RootedTree[] },
) =>
  formula((args) => {
    const [given, sizes] = [selectiveInputsOf(args), sizesOf(args)];
    const { trees, ...inputs } = change(args, given, sizes);
    const all = { ...given, ...inputs };
    if (!args.inputs.order) {
      const inputScale = args.attributes.inputScale as number;
      return { ...selectiveScan(all, sizes, { state: args.inputs.state, inputScale }) };
    }
    return {
      ...selectiveTreeScan(all, sizes, trees ?? treesOf(args), args.attributes.treeWeight as number),
    };
  });

/** The item's path over all tokens: what a tree is that offers no choice. */
const path = (length: number) => treeOfParentIds(Array.from({ length }, (_, v) => v - 1));

export const LANGUAGE_FAULTS: readonly Fault[] = [
  ...faults('RootMeanSquareNormalization', {
    'the default epsilon is always used': withAttribute('RootMeanSquareNormalization', 'epsilon', 1e-5),
    'epsilon is added to the root': formula(({ inputs: { x, gamma }, attributes }) => {
      const epsilon = attributes.epsilon as number;
      return { y: rootMeanSquareNormalization(x, gamma, epsilon ** 2) };
    }),
    'the mean is taken out': formula(({ inputs: { x, gamma }, attributes }) => {
      const channels = gamma.length;
      const centred = Float64Array.from(x, (value, i) => {
        const row = x.subarray(i - (i % channels), i - (i % channels) + channels) as Float32Array;
        return value - row.reduce((sum, each) => sum + each / channels, 0);
      });
      return { y: rootMeanSquareNormalization(centred, gamma, attributes.epsilon as number) };
    }),
    'the scale is missing': mapped('RootMeanSquareNormalization', 'gamma', () => 1),
    'squares overflow float16': after('RootMeanSquareNormalization', ({ inputs: { x }, outputs: { y } }) => {
      y.forEach((_, i) => {
        if (x[i] ** 2 > 65504) y[i] = 0;
      });
    }),
  }),
  ...faults('CausalConvolution', {
    'taps are reversed': mapped('CausalConvolution', 'filter', (_, i, { inputs: { filter }, shapes }) => {
      const [taps, channels] = shapes.filter;
      return filter[(taps - 1 - Math.floor(i / channels)) * channels + (i % channels)];
    }),
    'the past is left out': without('CausalConvolution', 'past'),
    'the bias is missing': mapped('CausalConvolution', 'bias', () => 0),
    'SiLU is missing': formula((args) => {
      const { nextPast } = convolution(args);
      const { bias } = args.inputs;
      // silu(s + 60) is s + 60 there.
      const far = { ...args, inputs: { ...args.inputs, bias: bias.map((value) => value + 60) } };
      return { y: convolution(far).y.map((value) => value - 60), nextPast };
    }),
    'the next past lags a token': after('CausalConvolution', ({ outputs: { nextPast }, shapes }) => {
      const [, , channels] = shapes.x;
      nextPast.copyWithin(channels, 0);
    }),
    'the first tokens of an item see the item before': before('CausalConvolution', ({ inputs, shapes }) => {
      const [batch, length, channels] = shapes.x;
      const taps = shapes.filter[0];
      const past = Float32Array.from(
        inputs.past ?? new Float32Array(batch * (taps - 1) * channels),
        (value, i) => {
          const b = Math.floor(i / ((taps - 1) * channels));
          const back = taps - 1 - (Math.floor(i / channels) % (taps - 1));
          return b > 0 && back <= length ? inputs.x[(b * length - back) * channels + (i % channels)] : value;
        },
      );
      return { inputs: { ...inputs, past } };
    }),
    'channels beyond a multiple of four are missing': tailMissing('CausalConvolution', 'x'),
  }),
  ...faults('SelectiveStep', {
    'the bias is missing': mapped('SelectiveStep', 'stepBias', () => 0),
    'exp overflows': after('SelectiveStep', ({ outputs: { step } }) => {
      step.forEach((value, i) => {
        if (value > 88) step[i] = Number.POSITIVE_INFINITY;
      });
    }),
    'small steps are 0': after('SelectiveStep', ({ outputs: { step } }) => {
      // log(1 + e) in float32.
      step.forEach((value, i) => {
        if (value < 1) step[i] = Math.log(Math.fround(Math.exp(value)));
      });
    }),
    'x is driven by the step before softplus': after('SelectiveStep', ({ inputs, outputs: { drive } }) => {
      const { rawStep, stepBias, x } = inputs;
      drive.set(x.map((value, i) => value * (rawStep[i] + stepBias[i % stepBias.length])));
    }),
    'the drive is x': after('SelectiveStep', ({ inputs: { x }, outputs: { drive } }) => drive.set(x)),
  }),
  ...faults('SelectiveScan', {
    'the state is left out': without('SelectiveScan', 'state'),
    'every item of a batch has the first one’s state': firstStateFault(),
    'the scale of the inputs is left out': withAttribute('SelectiveScan', 'inputScale', 1),
    'the state is scaled too': before('SelectiveScan', ({ inputs, attributes }) => ({
      inputs: {
        ...inputs,
        ...(inputs.state && { state: inputs.state.map((h) => h * (attributes.inputScale as number)) }),
      },
    })),
    'the gates are swapped': swapped('SelectiveScan', 'inputGate', 'outputGate'),
    'the rates are laid out by state': mapped(
      'SelectiveScan',
      'logA',
      (_, i, { inputs: { logA }, shapes }) => {
        const [channels, states] = shapes.logA;
        return logA[(i % channels) * states + Math.floor(i / channels)];
      },
    ),
    'the rates are A, not log(-A)': mapped('SelectiveScan', 'logA', (value) =>
      Math.log(Math.abs(value) + 1e-9),
    ),
    'states beyond a multiple of four are missing': tailMissing('SelectiveScan', 'outputGate'),
    'the next state is that before the last token': scanOneShort(),
    'steps are rounded to float16': mapped('SelectiveScan', 'step', toFloat16Precision),
  }),
  ...faults('SelectiveTreeScan', {
    'the tree counts as much as the chain': withAttribute('SelectiveTreeScan', 'treeWeight', 1),
    'the tree is left out': withAttribute('SelectiveTreeScan', 'treeWeight', 0),
    'the tree is always the chain': scan((_args, _inputs, { batch, length }) => ({
      trees: Array.from({ length: batch }, () => path(length)),
    })),
    'every item of a batch has the first one’s tree': scan((args) => {
      const trees = treesOf(args);
      return { trees: trees.map(() => trees[0]) };
    }),
    'parents are vertex ids, not positions': before('SelectiveTreeScan', ({ inputs, shapes }) => {
      const [, length] = shapes.order;
      const position = (b: number, vertex: number) =>
        inputs.order.subarray(b * length, (b + 1) * length).indexOf(vertex);
      const parent = Int32Array.from(inputs.parent, (at, i) => position(Math.floor(i / length), at));
      return { inputs: { ...inputs, parent } };
    }),
    'an edge carries the decay of its own token': decayOfOwnToken(),
    'vertices are tokens in the order of the text': treeForwards(),
    'the next state is the chain’s': after('SelectiveTreeScan', (args) => {
      const { nextState } = selectiveScan(selectiveInputsOf(args), sizesOf(args));
      args.outputs.nextState.set(nextState);
    }),
    'the gates are swapped': swapped('SelectiveTreeScan', 'inputGate', 'outputGate'),
  }),
  ...faults('SelectiveLayer', {
    'x is not added again': after('SelectiveLayer', ({ inputs: { x }, outputs: { y } }) => {
      y.set(y.map((value, i) => value - x[i]));
    }),
    'the past is left out': mapped('SelectiveLayer', 'past', () => 0),
    'the biases are left out': without('SelectiveLayer', 'inputBias', 'outputBias'),
    'the default epsilon is always used': withAttribute('SelectiveLayer', 'epsilon', 1e-5),
  }),
  ...faults('TokenEmbedding', {
    'the table is laid out by token': formula(({ inputs: { tokens, table }, shapes }) => {
      const [hidden] = shapes.table;
      const y = Float64Array.from(
        { length: tokens.length * hidden },
        (_, i) => table[tokens[Math.floor(i / hidden)] * hidden + (i % hidden)],
      );
      return { y };
    }),
    'ids count from 1': mapped('TokenEmbedding', 'tokens', (id) => Math.max(0, id - 1)),
    'the last token is the one before': mapped('TokenEmbedding', 'tokens', (id, _, { shapes }) =>
      Math.min(id, Math.max(0, shapes.table[1] - 2)),
    ),
    'every item of a batch has the first one’s tokens': firstItem('TokenEmbedding', 'tokens'),
  }),
];

function firstStateFault(): Fault['kernel'] {
  return before('SelectiveScan', ({ inputs, shapes }) => {
    const { state } = inputs;
    if (!state) return {};
    const size = state.length / shapes.state[0];
    return { inputs: { ...inputs, state: state.map((_, i) => state[i % size]) } };
  });
}

/** The state of one token too few. */
function scanOneShort(): Fault['kernel'] {
  return after('SelectiveScan', (args) => {
    const { step, drive } = args.inputs;
    const { batch, length, channels } = sizesOf(args);
    const isLast = (i: number) => Math.floor(i / channels) % length === length - 1;
    // Without a step and a drive a token leaves the states as they are.
    const still = (values: typeof step) => values.map((value, i) => (isLast(i) ? 0 : value));
    const outputs = { y: new Float32Array(batch * length * channels), nextState: args.outputs.nextState };
    CORRECT_KERNELS.SelectiveScan({
      ...args,
      inputs: { ...args.inputs, step: still(step), drive: still(drive) },
      outputs,
    });
  });
}

/** The sums over the tree with the steps of the tokens before. */
function decayOfOwnToken(): Fault['kernel'] {
  return formula((args) => {
    const [inputs, sizes] = [selectiveInputsOf(args), sizesOf(args)];
    const { length, channels } = sizes;
    const step = Float64Array.from(inputs.step, (value, i) => {
      const t = Math.floor(i / channels) % length;
      return t > 0 ? inputs.step[i - channels] : value;
    });
    return withTreeOf(
      args,
      selectiveTreeScan({ ...inputs, step }, sizes, treesOf(args), weightOf(args)),
      step,
    );
  });
}

/** The tree as if its vertices were tokens from the first on. */
function treeForwards(): Fault['kernel'] {
  return scan((args, _inputs, { length }) => ({
    trees: treesOf(args).map(({ order, parent }) => ({ order: order.map((v) => length - 1 - v), parent })),
  }));
}

const weightOf = ({ attributes }: Arguments) => attributes.treeWeight as number;

/** The chain of the inputs, and what another result has beyond its own chain. */
function withTreeOf(args: Arguments, other: ReturnType<typeof selectiveTreeScan>, step: Float64Array) {
  const [inputs, sizes] = [selectiveInputsOf(args), sizesOf(args)];
  const [chain, otherChain] = [selectiveScan(inputs, sizes), selectiveScan({ ...inputs, step }, sizes)];
  const mixed = (of: 'y' | 'nextState') =>
    chain[of].map((value, i) => value + other[of][i] - otherChain[of][i]);
  return { y: mixed('y'), nextState: mixed('nextState') };
}
