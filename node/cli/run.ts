/** `grootvl run`: any nodes of a model in, any nodes out, as safetensors. */
import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import { io, type Tensor, tensor, tidy } from '@tensorflow/tfjs-core';
import type { Command } from 'commander';
import { openCheckpoint } from '../../converters/pytorch/checkpoint.js';
import { encodeSafetensors, type SafetensorsTensor } from '../../converters/pytorch/safetensors_writer.js';
import { StoredTensor } from '../../converters/pytorch/tensor.js';
import { writeFileAtomically } from '../atomic_file.js';
import { fileSource } from '../file_source.js';
import { fileSystem } from '../file_system.js';
import { type CliBackend, startBackend, withBackend } from './backend.js';

interface Options {
  input: string;
  output: string;
  outputs?: string;
  backend: CliBackend;
}

export function addRun(program: Command): void {
  const command = program
    .command('run <model-dir>')
    .description(
      'feed the tensors of a file to the nodes they are named after, and write other nodes to a file',
    )
    .requiredOption('--input <in.safetensors>', 'each tensor name is a node of the graph')
    .requiredOption('--output <out.safetensors>', 'where the nodes asked for go')
    .option('--outputs <node,node>', "nodes to write (default: the model's outputs)");
  withBackend(command).action(async (dir: string, options: Options) => {
    await startBackend(options.backend);
    const artifacts = await loadArtifacts(dir);
    const model = await loadGraphModel(io.fromMemory(artifacts));
    const { node } = artifacts.modelTopology as { node: { name: string }[] };
    const checkNode = nodeCheck(model, new Set(node.map(({ name }) => name)));
    const inputs = await readInputs(model, options.input, checkNode);
    const wanted = options.outputs?.split(',') ?? model.outputNodes;
    wanted.forEach(checkNode);
    const results = tidy(() => [model.execute(inputs, wanted)].flat()) as Tensor[];
    const tensors = await Promise.all(results.map((result, i) => toSafetensors(wanted[i], result)));
    await writeFileAtomically(options.output, encodeSafetensors(tensors));
    model.dispose();
  });
}

async function loadArtifacts(dir: string): Promise<io.ModelArtifacts> {
  return (await fileSystem(dir).load?.()) as io.ModelArtifacts;
}

async function readInputs(
  model: GraphModel,
  path: string,
  checkNode: (name: string) => void,
): Promise<Record<string, Tensor>> {
  const source = await fileSource(path);
  try {
    const checkpoint = await openCheckpoint(source);
    if (checkpoint.format !== 'safetensors' || !(checkpoint.root instanceof Map)) {
      throw new Error(`${path} is a ${checkpoint.format} checkpoint, wanted a safetensors file`);
    }
    const inputs: Record<string, Tensor> = {};
    for (const [name, stored] of checkpoint.root) {
      if (typeof name !== 'string' || !(stored instanceof StoredTensor)) continue;
      checkNode(name);
      inputs[name] = await toTensor(model, name, stored);
    }
    return inputs;
  } finally {
    await source.close();
  }
}

/** Floats become float32; integers int32, or float32 for the nodes that take images. */
async function toTensor(model: GraphModel, name: string, stored: StoredTensor): Promise<Tensor> {
  const shape = [...stored.shape];
  if (/^b?float/.test(stored.dtype)) return tensor(await stored.readFloat32(), shape, 'float32');
  const values = Array.from(await stored.read(), Number);
  const beyond = values.find((value) => value < -(2 ** 31) || value >= 2 ** 31);
  if (beyond !== undefined) throw new Error(`${name} holds ${beyond}, which does not fit into int32`);
  const dtype = model.inputs.find((input) => input.name.replace(/:\d+$/, '') === name)?.dtype;
  return tensor(values, shape, dtype === 'float32' || name === 'normalized' ? 'float32' : 'int32');
}

/** Throws for a name that is no node, and lists some that are. */
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
