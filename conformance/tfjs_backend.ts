/** A tfjs backend under test: ops run through the declarations of this package. */
import {
  addN,
  type DataType,
  dispose,
  engine,
  env,
  memory,
  mul,
  ready,
  setBackend,
  sum,
  type Tensor,
  tensor,
  tidy,
} from '@tensorflow/tfjs-core';
import type { Attributes, OpDeclaration } from '../plugin/ops/declaration.js';
import { declaredOp } from '../plugin/ops/declare.js';
import { OPS } from '../plugin/ops/index.js';
import { hasOwnKernel, runOp } from '../plugin/ops/kernels.js';
import { type Backend, BackendMissing, NotSupported, type TfjsDefinition } from './backend.js';
import type { CaseTensor } from './case.js';

type CaseTensors = Readonly<Record<string, CaseTensor>>;

/** @throws {NotSupported} if no op of this name is declared */
export function declarationOf(op: string): OpDeclaration {
  const declaration = declaredOp(op);
  if (!declaration) throw new NotSupported(`no op ${op} is declared`);
  return declaration;
}

export function tfjsBackend(definition: TfjsDefinition): Backend {
  const { name, tfjs, tolerance = 'float32', device = tfjs } = definition;
  return {
    name,
    tolerance,
    runsModels: true,
    start: async () => {
      env().set('PROD', true); // no advice on the console, no checks meant for kernel developers
      await import('../plugin/index.js');
      const described = (await definition.start?.()) ?? device;
      if (!(await setBackend(tfjs))) throw new BackendMissing(`tfjs could not start its backend '${tfjs}'`);
      await ready();
      return `${described}; ${kernelsIn(tfjs)}`;
    },
    run: async (op, inputs, attributes) => {
      const declaration = declarationOf(op);
      const given = toTensors(inputs);
      try {
        return await readAll(declaration.outputNames, runOp(declaration, given, attributes));
      } finally {
        dispose(given);
      }
    },
    gradients: async (op, inputs, attributes, outputGradients) => {
      const declaration = declarationOf(op);
      const given = toTensors(inputs);
      const dy = toTensors(outputGradients);
      const expected = Object.keys(inputs).filter((input) => inputs[input].dtype === 'float32');
      try {
        const grads = tidy(() => gradientsOf(declaration, given, attributes, dy, expected));
        return await readAll(expected, grads);
      } finally {
        dispose(given);
        dispose(dy);
      }
    },
    memory: () => memory(),
    stop: definition.stop,
  };
}

/** Which tree ops have kernels made for the backend, and which do not. */
function kernelsIn(backend: string): string {
  const own = OPS.filter((op) => hasOwnKernel(op, backend)).map(({ name }) => name);
  if (own.length === 0) return 'no kernels of this package: fallback to the CPU and to built-in ops';
  const rest = OPS.filter((op) => !own.includes(op.name) && !op.compose).map(({ name }) => name);
  const missing = rest.length > 0 ? `; on the host: ${rest.join(', ')}` : '';
  return `kernels of this package: ${own.join(', ')}${missing}`;
}

export function toTensor(value: CaseTensor): Tensor {
  const dtype: DataType = value.dtype === 'int32' ? 'int32' : 'float32';
  const values =
    value.dtype === 'int32' || value.dtype === 'float32' ? value.values : Float32Array.from(value.values);
  // tfjs keeps the array: a kernel that wrote to its input must not change the case.
  return tensor(values.slice(), [...value.shape], dtype);
}

function toTensors(values: CaseTensors): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toTensor(value)]));
}

/** Reads tensors and disposes of them. */
async function readAll(
  names: readonly string[],
  tensors: readonly Tensor[],
): Promise<Map<string, CaseTensor>> {
  const read = new Map<string, CaseTensor>();
  for (const [i, name] of names.entries()) read.set(name, await readTensor(tensors[i]));
  dispose([...tensors]);
  return read;
}

/** The current values of a tensor: a copy, which no later kernel can change. */
export async function readTensor(result: Tensor): Promise<CaseTensor> {
  const values = (await result.data()).slice();
  const shape = [...result.shape];
  return values instanceof Int32Array
    ? { dtype: 'int32', shape, values }
    : { dtype: 'float32', shape, values: values as Float32Array };
}

function gradientsOf(
  declaration: OpDeclaration,
  inputs: Record<string, Tensor>,
  attributes: Attributes,
  dy: Record<string, Tensor>,
  expected: readonly string[],
): Tensor[] {
  const single = declaration.outputNames.length === 1;
  const forward = () => {
    const outputs = runOp(declaration, inputs, attributes);
    if (single) return outputs[0];
    const terms = outputs.map((output, i) => ({ output, dy: dy[declaration.outputNames[i]] }));
    // tfjs's webgl backend cannot sum an empty tensor.
    return addN(terms.filter(({ output }) => output.size > 0).map(({ output, dy }) => sum(mul(output, dy))));
  };
  try {
    const xs = expected.map((name) => inputs[name]);
    return engine().gradients(forward, xs, single ? dy[declaration.outputNames[0]] : undefined).grads;
  } catch (error) {
    if (/gradient function not found/.test((error as Error).message)) {
      throw new NotSupported(
        `${(error as Error).message.replace(/\.$/, '')}: the gradients of tfjs's own ops are not registered`,
      );
    }
    throw error;
  }
}
