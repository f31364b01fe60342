/** Finds the first tensor that became NaN or infinite in training. */
import {
  all,
  dispose,
  isFinite as isFiniteOp,
  type Tensor,
  type Tensor4D,
  tidy,
} from '@tensorflow/tfjs-core';
import { nodesOf } from '../models/graph_editor.js';
import { type Gradients, graphOf, type Trainable } from './trainable.js';

/** Thrown if the loss or gradients are NaN or infinite. */
export class NotFiniteError extends Error {
  constructor(
    /** Number of updates before. */
    readonly step: number,
    readonly learningRate: number,
    /** The first tensor that is not finite: the input, a parameter, a node of the graph, a gradient. */
    readonly tensor: string,
    what: string,
  ) {
    super(
      `step ${step + 1}: ${what} at a learning rate of ${learningRate}; the first tensor that is not finite: ${tensor}`,
    );
  }
}

interface Case {
  readonly step: number;
  readonly learningRate: number;
  /** The batch, if the loss is not finite. */
  readonly images?: Tensor4D;
  readonly loss?: number;
  /** By variable name, if their norm is not finite. */
  readonly gradients?: Gradients;
  readonly gradientNorm?: number;
}

/** Nodes checked in one pass, whose values are all in memory. */
const NODES_OF_A_PASS = 32;
/** Nodes that compute nothing. */
const SKIPPED = new Set(['Const', 'Placeholder', 'NoOp']);

/** Finds the first tensor that is not finite, in the order of computation. */
export async function explainNotFinite(
  trainable: Trainable,
  { step, learningRate, images, loss, gradients = {}, gradientNorm }: Case,
): Promise<NotFiniteError> {
  const what = loss === undefined ? `the norm of the gradients is ${gradientNorm}` : `the loss is ${loss}`;
  const error = (tensor: string) => new NotFiniteError(step, learningRate, tensor, what);
  const { parameters } = trainable;
  if (!images)
    return error((await firstNotFinite(parameters, gradients)) ?? 'the sum of the squares of all gradients');
  const parameter = await firstNotFinite(parameters, {});
  if (parameter !== undefined) return error(parameter);
  if (!(await isFiniteTensor(images))) return error('the input');
  const node = await firstNode(trainable, images);
  return error(node === undefined ? 'the loss itself' : `the node ${node}`);
}

/** Returns the first parameter or gradient that is not finite; undefined if all are. */
export async function firstNotFinite(
  parameters: Trainable['parameters'],
  gradients: Gradients,
): Promise<string | undefined> {
  for (const [name, { variable }] of parameters) {
    if (!(await isFiniteTensor(variable))) return `the parameter ${name}`;
  }
  // Gradients are computed from the loss back to the input.
  for (const [name, { variable }] of [...parameters].reverse()) {
    const gradient = gradients[variable.name];
    if (gradient && !(await isFiniteTensor(gradient))) return `the gradient of ${name}`;
  }
  return undefined;
}

async function firstNode(trainable: Trainable, images: Tensor4D): Promise<string | undefined> {
  const names = nodesOf(graphOf(trainable.model))
    .filter(({ op }) => !SKIPPED.has(op))
    .map(({ name }) => name);
  for (let from = 0; from < names.length; from += NODES_OF_A_PASS) {
    const group = names.slice(from, from + NODES_OF_A_PASS);
    const values = tidy(() => trainable.forward(images, group));
    try {
      for (const [i, value] of values.entries()) {
        if (value.dtype === 'float32' && !(await isFiniteTensor(value))) return group[i];
      }
    } finally {
      dispose(values);
    }
  }
  return undefined;
}

async function isFiniteTensor(tensor: Tensor): Promise<boolean> {
  const result = tidy(() => all(isFiniteOp(tensor)));
  try {
    return (await result.data())[0] === 1;
  } finally {
    result.dispose();
  }
}
