/** Registers every op with the GraphModel executor of tfjs-converter, from its declaration. */
import { type GraphNode, registerOp } from '@tensorflow/tfjs-converter';
import type { AttributeValue, OpDeclaration } from './ops/declaration.js';
import { OPS } from './ops/index.js';
import { readTensor, runOp } from './ops/kernels.js';

for (const op of OPS) registerOp(op.name, (node) => execute(op, node));

function execute(op: OpDeclaration, node: GraphNode) {
  const inputs = Object.fromEntries(Object.keys(op.inputs).map((name, i) => [name, node.inputs[i]]));
  const attributes = Object.fromEntries(
    Object.entries(op.attributes).map(([name, { graphName }]) => [name, node.attrs[graphName]]),
  ) as Record<string, AttributeValue>;
  const defaults = op.graphDefaults?.(inputs, (info) => readTensor(info) as Int32Array) ?? {};
  for (const [name, value] of Object.entries(defaults)) attributes[name] ??= value;
  return runOp(op, inputs, attributes);
}
