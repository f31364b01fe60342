/** `grootvl run`: feeds any nodes of a model and fetches any others, as safetensors. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import type { io, Tensor } from '@tensorflow/tfjs-core';
import type { Command } from 'commander';
import type { StoredTensor } from '../../converters/pytorch/tensor.js';
import type { SafetensorsTensor } from '../../plugin/models/safetensors_writer.js';
import { fileSource } from '../file_source.js';
import { type CliBackend, startBackend, withBackend } from './backend.js';
import { outputOf, pathOf } from './failure.js';
import { modelSource, withModel } from './inputs.js';
import { writeResult } from './result_file.js';

interface Options {
  input: string;
  output: string;
  outputs?: string;
  backend: CliBackend;
}

export function addRun(command: Command): void {
  command
    .requiredOption('--input <in.safetensors>', 'each tensor name is a node of the graph', pathOf)
    .requiredOption('--output <out.safetensors>', 'where the nodes asked for go', outputOf)
    .option('--outputs <node,node>', "nodes to write (default: the model's outputs)");
  withBackend(command).action(async (dir: string, options: Options) => {
    const backend = await startBackend(options.backend);
    const { dispose } = await import('@tensorflow/tfjs-core');
    const { runGraph } = await import('../../plugin/models/image_model.js');
    const { LoadedModel } = await import('../../plugin/models/loaded_model.js');
    const { openSource } = await import('../../plugin/models/model_files.js');
    const source = openSource('grootvl run', await modelSource(dir), {});
    const artifacts = (await source.load()) as io.ModelArtifacts;
    const tensors = await withModel(LoadedModel.from(source.origin, artifacts), async (model) => {
      const { node } = artifacts.modelTopology as { node: { name: string }[] };
      const checkNode = nodeCheck(model, new Set(node.map(({ name }) => name)));
      const inputs: Record<string, Tensor> = {};
      let results: Tensor[] = [];
      try {
        await readInputs(model, options.input, checkNode, inputs);
        const nodes = options.outputs?.split(',') ?? model.outputNodes;
        nodes.forEach(checkNode);
        results = await runGraph(model, inputs, nodes);
        return await Promise.all(results.map((result, i) => toSafetensors(nodes[i], result)));
      } finally {
        dispose([inputs, results]);
      }
    });
    const { encodeSafetensors } = await import('../../plugin/models/safetensors_writer.js');
    await writeResult(options.output, encodeSafetensors(tensors), backend);
  });
}

/** Reads the tensors of a file into `inputs`, which also holds the earlier ones if a later one is refused. */
async function readInputs(
  model: GraphModel,
  path: string,
  checkNode: (name: string) => void,
  inputs: Record<string, Tensor>,
): Promise<void> {
  const { openCheckpoint } = await import('../../converters/pytorch/checkpoint.js');
  const { StoredTensor } = await import('../../converters/pytorch/tensor.js');
  const source = await fileSource(path);
  try {
    const checkpoint = await openCheckpoint(source);
    if (checkpoint.format !== 'safetensors' || !(checkpoint.root instanceof Map)) {
      throw new Error(`"${path}" is a ${checkpoint.format} checkpoint, expected a safetensors file`);
    }
    for (const [name, stored] of checkpoint.root) {
      if (typeof name !== 'string' || !(stored instanceof StoredTensor)) continue;
      checkNode(name);
      inputs[name] = await toTensor(model, name, stored);
    }
  } finally {
    await source.close();
  }
}

/** Floats become float32; integers int32, or float32 for nodes that take images. */
async function toTensor(model: GraphModel, name: string, stored: StoredTensor): Promise<Tensor> {
  const { tensor } = await import('@tensorflow/tfjs-core');
  const shape = [...stored.shape];
  if (/^b?float/.test(stored.dtype)) return tensor(await stored.readFloat32(), shape, 'float32');
  const values = Array.from(await stored.read(), Number);
  const beyond = values.find((value) => value < -(2 ** 31) || value >= 2 ** 31);
  if (beyond !== undefined) throw new Error(`${name} holds ${beyond}, which does not fit into int32`);
  const dtype = model.inputs.find((input) => input.name.replace(/:\d+$/, '') === name)?.dtype;
  return tensor(values, shape, dtype === 'float32' || name === 'normalized' ? 'float32' : 'int32');
}

/** Throws for a name that is not a node, and lists some that are. */
function nodeCheck(model: GraphModel, nodes: ReadonlySet<string>): (name: string) => void {
  return (name) => {
    if (nodes.has(name)) return;
    const known = (model.metadata as { nodes?: string[] } | undefined)?.nodes ?? [];
    const some = [...new Set([...model.inputNodes, ...model.outputNodes, ...known])].slice(0, 12);
    throw new Error(`the model has no node ${JSON.stringify(name)}; some that it has: ${some.join(', ')}`);
  };
}

async function toSafetensors(name: string, result: Tensor): Promise<SafetensorsTensor> {
  const data = (await result.data()) as Float32Array | Int32Array | Uint8Array;
  const dtype = data instanceof Float32Array ? 'F32' : data instanceof Int32Array ? 'I32' : 'BOOL';
  return { name, dtype, shape: result.shape, data };
}
