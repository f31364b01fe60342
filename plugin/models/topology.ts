/** Checks the nodes of a GraphModel before tfjs traverses them. */

import type { TopologyNode } from '../torch_layout.js';
import {
  boolean,
  type Check,
  isRecord,
  listOf,
  optional,
  optionalOrNull,
  quote,
  record,
  refuse,
  text,
} from './checks.js';

const MAX_NODES = 200_000;
const MAX_NAME = 1000;
const MAX_VALUES = 2 ** 20;

/** protobuf's JSON writes large integers and special floats as strings. */
const NUMBER = /^(?:-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|NaN|-?Infinity)$/i;

const SIZE: Check = (value, name) => {
  if (!/^-?\d+$/.test(String(value))) refuse(value, name, 'an integer');
};

/** A shape in protobuf's JSON. */
export const SHAPE = record({ dim: optional(listOf(record({ size: optional(SIZE) }), 0, 32)) });

const BYTES: Check = (value, name) => {
  if (typeof value !== 'string') listOf(NUMERIC, 0, MAX_NAME)(value, name);
};

const NUMERIC: Check = (value, name) => {
  if (typeof value === 'number' || (typeof value === 'string' && NUMBER.test(value))) return;
  refuse(value, name, 'a number');
};

const TYPE: Check = (value, name) => {
  if (typeof value !== 'string' && !Number.isSafeInteger(value)) refuse(value, name, 'a dtype');
};

const FUNCTION = record({ name: text(MAX_NAME) });

/** The kinds of values that an attribute of a node may have. */
const VALUES: Readonly<Record<string, Check>> = {
  s: BYTES,
  i: NUMERIC,
  f: NUMERIC,
  b: boolean,
  type: TYPE,
  shape: SHAPE,
  func: FUNCTION,
};

const LISTS = Object.fromEntries(
  Object.entries(VALUES).map(([kind, check]) => [kind, optionalOrNull(listOf(check, 0, MAX_VALUES))]),
);

const ATTRIBUTE = record({
  ...Object.fromEntries(Object.entries(VALUES).map(([kind, check]) => [kind, optionalOrNull(check)])),
  list: optionalOrNull(record(LISTS)),
});

const NODE = record({
  name: text(MAX_NAME),
  op: text(MAX_NAME),
  input: optionalOrNull(listOf(text(MAX_NAME), 0, MAX_NODES)),
  attr: (value, name) => {
    if (value === undefined || value === null) return;
    if (!isRecord(value)) refuse(value, name, 'an object');
    for (const [key, attribute] of Object.entries(value)) ATTRIBUTE(attribute, `${name}[${quote(key)}]`);
  },
});

const FUNCTION_ARGUMENT = record({ name: text(MAX_NAME) });

const SIGNATURE = record({
  name: text(MAX_NAME),
  inputArg: listOf(FUNCTION_ARGUMENT, 0, MAX_NODES),
  outputArg: listOf(FUNCTION_ARGUMENT, 0, MAX_NODES),
});

const LIBRARY_FUNCTION: Check = (value, name) => {
  record({ signature: SIGNATURE, nodeDef: optionalOrNull(listOf(NODE, 0, MAX_NODES)) })(value, name);
  const { signature, nodeDef, ret } = value as {
    signature: { inputArg: { name: string }[]; outputArg: { name: string }[] };
    nodeDef?: TopologyNode[];
    ret?: unknown;
  };
  for (const output of signature.outputArg) {
    text(MAX_NAME)(isRecord(ret) ? ret[output.name] : undefined, `${name}.ret[${quote(output.name)}]`);
  }
  checkEdges(
    nodeDef ?? [],
    signature.inputArg.map((argument) => argument.name),
    `${name}.nodeDef`,
  );
};

/**
 * Checks the nodes of a graph and of its functions: names, types of attributes, existing inputs, no cycles. Unknown ops are
 * only detected when they run, because a model may be run without all of its nodes.
 */
export function checkTopology(value: unknown, name: string): void {
  record({
    node: listOf(NODE, 0, MAX_NODES),
    library: optionalOrNull(record({ function: optionalOrNull(listOf(LIBRARY_FUNCTION, 0, MAX_NODES)) })),
    versions: record({}),
  })(value, name);
  checkEdges((value as { node: TopologyNode[] }).node, [], `${name}.node`);
}

function checkEdges(nodes: readonly TopologyNode[], known: readonly string[], name: string): void {
  const indices = new Map<string, number>(known.map((each) => [each, -1]));
  for (const [i, node] of nodes.entries()) {
    // tfjs keeps nodes and weights in plain objects, and splits references at colons.
    if (node.name === '' || node.name in {} || node.name.includes(':')) {
      throw new Error(
        `${name}[${i}] has the name ${quote(node.name)}, which is empty, reserved or has a colon`,
      );
    }
    if (indices.has(node.name)) throw new Error(`${name} has two nodes named ${quote(node.name)}`);
    indices.set(node.name, i);
  }
  const inputs = nodes.map(({ name: to, input }) =>
    (input ?? []).map((reference) => {
      const [from, ...rest] = reference.replace(/^\^/, '').split(':');
      const index = indices.get(from);
      const isOutput = rest.length <= 2 && (rest.length === 0 || /^\d{1,4}$/.test(rest[rest.length - 1]));
      if (index === undefined || !isOutput) {
        throw new Error(
          `node ${quote(to)} of ${name} reads ${quote(reference)}, expected an output of a node that is there`,
        );
      }
      return index;
    }),
  );
  checkAcyclic(nodes, inputs, name);
}

/** Loops of TensorFlow 1 pass through a NextIteration node; every other cycle is invalid. */
function checkAcyclic(
  nodes: readonly TopologyNode[],
  inputs: readonly (readonly number[])[],
  name: string,
): void {
  const readers: number[][] = nodes.map(() => []);
  const open = nodes.map(() => 0);
  for (const [i, sources] of inputs.entries()) {
    for (const source of sources) {
      if (source < 0 || nodes[source].op === 'NextIteration') continue;
      readers[source].push(i);
      open[i]++;
    }
  }
  const ready = [...nodes.keys()].filter((i) => open[i] === 0);
  for (const i of ready) {
    for (const reader of readers[i]) if (--open[reader] === 0) ready.push(reader);
  }
  if (ready.length < nodes.length) {
    const cyclic = nodes[open.findIndex((count) => count > 0)].name;
    throw new Error(`${name} has a cycle, through or before the node ${quote(cyclic)}`);
  }
}
