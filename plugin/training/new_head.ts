/** Replaces a model's classifier by one for other classes. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import { type io, keep, type Tensor, tensor, zeros } from '@tensorflow/tfjs-core';
import { options as checkOptions, integer, listOf, text } from '../models/checks.js';
import { artifactsOf, nodesOf } from '../models/graph_editor.js';
import { MAX_CLASSES } from '../models/grootv_metadata.js';
import { LoadedModel } from '../models/loaded_model.js';
import { RandomNumbers } from '../random.js';
import { LAYOUT_ATTRIBUTES, type TorchLayout } from '../torch_layout.js';

/** Number of classes, or their names. */
export type NewHead =
  | number
  | readonly string[]
  | { readonly classes: number; readonly classNames?: readonly string[]; readonly seed?: number };

/** Standard deviation of the authors' initial weights. */
const DEVIATION = 0.02;

const WEIGHT = 'head.weight';
const BIAS = 'head.bias';

/**
 * Gives a model a new head: weights normal with standard deviation 0.02, biases 0. Updates its graph and metadata too.
 * @param layouts those of the model, in which the head's are replaced
 * @throws {Error} before anything is changed.
 */
export function replaceHead(
  model: object,
  graph: GraphModel,
  newHead: NewHead,
  layouts: Map<string, TorchLayout>,
): void {
  const { classes, classNames, seed = 0 } = checked(newHead);
  const [weight, bias] = [layouts.get(WEIGHT), layouts.get(BIAS)];
  if (!(graph instanceof LoadedModel) || weight?.shape.length !== 2 || !bias) {
    throw new Error(
      'trainable: newHead: the model has no classifier, expected a GrootV with head.weight and head.bias',
    );
  }
  const [before, features] = weight.shape;
  const random = new RandomNumbers(seed);
  const values = Float32Array.from({ length: features * classes }, () => DEVIATION * random.normal());
  replaceWeight(graph, WEIGHT, tensor(values, [features, classes]));
  replaceWeight(graph, BIAS, zeros([classes]));
  layouts.set(WEIGHT, { ...weight, shape: [classes, features] });
  layouts.set(BIAS, { ...bias, shape: [classes] });

  const { signature, modelTopology, userDefinedMetadata } = artifactsOf(graph);
  const metadata = (userDefinedMetadata ?? {}) as { architecture?: { parameters?: number } };
  const { architecture } = metadata;
  const parameters =
    architecture?.parameters && architecture.parameters + (classes - before) * (features + 1);
  graph.describe({
    modelTopology: {
      ...modelTopology,
      node: nodesOf(graph).map((node) => {
        if (node.name !== WEIGHT && node.name !== BIAS) return node;
        const shape = graph.weights[node.name][0].shape;
        return {
          ...node,
          attr: { ...node.attr, ...constantAttributes(shape, layouts.get(node.name)?.shape ?? []) },
        };
      }),
    },
    signature: withClasses(signature as Signature | undefined, classes),
    userDefinedMetadata: {
      ...metadata,
      classNames: classNames ?? null,
      architecture: { ...architecture, classes, ...(parameters && { parameters }) },
    } as io.ModelArtifacts['userDefinedMetadata'],
  });
  if (Object.hasOwn(model, 'metadata')) Object.assign(model, { metadata: graph.metadata });
}

function checked(newHead: NewHead): { classes: number; classNames?: readonly string[]; seed?: number } {
  const given =
    typeof newHead === 'number'
      ? { classes: newHead }
      : Array.isArray(newHead)
        ? { classes: newHead.length, classNames: newHead }
        : (newHead as Exclude<NewHead, number | readonly string[]>);
  const method = 'trainable: newHead';
  checkOptions(given, method, { seed: integer(Number.MIN_SAFE_INTEGER) });
  integer(1, MAX_CLASSES)(given.classes, `${method}: classes`);
  const { classes, classNames } = given;
  if (classNames) listOf(text(1000), classes, classes)(classNames, `${method}: classNames`);
  return given;
}

function replaceWeight(graph: GraphModel, name: string, value: Tensor): void {
  graph.weights[name][0].dispose();
  graph.weights[name][0] = keep(value);
}

function constantAttributes(shape: readonly number[], torchShape: readonly number[]): object {
  const tensorShape = { dim: shape.map((size) => ({ size: String(size) })) };
  return {
    value: { tensor: { dtype: 'DT_FLOAT', tensorShape } },
    [LAYOUT_ATTRIBUTES.shape]: { list: { i: torchShape.map(String) } },
  };
}

interface Signature {
  readonly outputs?: Readonly<Record<string, { readonly name?: string; readonly tensorShape?: unknown }>>;
}

function withClasses(signature: Signature | undefined, classes: number): io.ModelArtifacts['signature'] {
  const logits = signature?.outputs?.logits;
  if (!logits) return signature;
  const tensorShape = { dim: [{ size: '-1' }, { size: String(classes) }] };
  return { ...signature, outputs: { ...signature.outputs, logits: { ...logits, tensorShape } } };
}
