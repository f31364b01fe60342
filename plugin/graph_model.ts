/**
 * Registers every op with the GraphModel executor of tfjs-converter, from its declaration.
 *
 * A page may have a second copy of tfjs-converter with its own executors: a script tag beside a bundle of this package. All
 * copies share tfjs-core's engine and kernels, but not the executors.
 */
import { type GraphNode, registerOp } from '@tensorflow/tfjs-converter';
import { backend, type Tensor } from '@tensorflow/tfjs-core';
import { knownValues, readForChecks } from './kernels/values.js';
import { show } from './models/checks.js';
import type { AttributeValue, OpDeclaration } from './ops/declaration.js';
import { OPS } from './ops/index.js';
import { awaitedInputs, readIds, runOp } from './ops/kernels.js';

/**
 * Registers the ops with another copy of tfjs, so that its `loadGraphModel` supports them. The copy that this package
 * imports, and `window.tf` of an earlier script tag, already do.
 * @param tf the copy, from `import * as tf from '@tensorflow/tfjs'` or a script tag.
 * @throws {Error} if it has no `registerOp`.
 */
export function registerOps(tf: { registerOp: typeof registerOp }): void {
  if (typeof tf?.registerOp !== 'function') {
    throw new Error(
      `registerOps: the argument is ${show(tf)}, expected tfjs, which has the function registerOp`,
    );
  }
  for (const op of OPS) {
    const names = Object.keys(op.inputs);
    const attributes = Object.entries(op.attributes).map(
      ([name, { graphName = snakeCase(name) }]) => [name, graphName] as const,
    );
    tf.registerOp(op.name, (node) => execute(op, node, names, attributes));
  }
}

/** `maxOutput` to `max_output`. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

registerOps({ registerOp });
const { tf } = globalThis as { tf?: { registerOp?: typeof registerOp } };
if (typeof tf?.registerOp === 'function' && tf.registerOp !== registerOp) {
  registerOps({ registerOp: tf.registerOp });
}

/** Plain loops: this is done for every node. */
function execute(
  op: OpDeclaration,
  node: GraphNode,
  names: readonly string[],
  attributesOfNode: readonly (readonly [name: string, graphName: string])[],
) {
  const given = node.inputs;
  const inputs: Record<string, Tensor> = {};
  for (let i = 0; i < names.length; i++) inputs[names[i]] = given[i];
  const attributes: Record<string, AttributeValue> = {};
  if (attributesOfNode.length > 0) {
    const { attrs } = node;
    for (const [name, graphName] of attributesOfNode) attributes[name] = attrs[graphName] as AttributeValue;
  }
  if (op.graphDefaults) {
    const defaults = op.graphDefaults(inputs, (info) => readIds(op.name, info));
    for (const [name, value] of Object.entries(defaults)) attributes[name] ??= value;
  }
  const isUnknown = (tensor: Tensor | undefined) => tensor && !knownValues(backend(), tensor);
  const read = awaitedInputs(op).filter((name) => isUnknown(inputs[name]));
  if (read.length === 0) return runOp(op, inputs, attributes);
  // Of tfjs's two executors, only that of `executeAsync` waits for a promise.
  const results = readForChecks(...read.map((name) => inputs[name])).then(() =>
    runOp(op, inputs, attributes),
  );
  results.catch(() => {}); // the other one rejects the promise, and disposes the inputs
  return results;
}
