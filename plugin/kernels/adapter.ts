/** Shared by the adapters of backends: passes tensors to kernels under their declared names. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { AttributesOf, OpDeclaration, OutputSpec } from '../ops/declaration.js';

/** Arguments of a kernel. `Input` and `Output` are an array, an address, or a tensor on a device. */
export interface KernelArguments<D extends OpDeclaration, Input, Output = Input> {
  readonly inputs: Readonly<Record<keyof D['inputs'], Input>>;
  /** With the declared shapes, for the kernel to write. */
  readonly outputs: Readonly<Record<keyof D['outputs'], Output>>;
  /** Shapes of the inputs. */
  readonly shapes: Readonly<Record<keyof D['inputs'], readonly number[]>>;
  readonly attributes: AttributesOf<D['attributes']>;
}

/** How a backend provides inputs and outputs. */
export interface KernelMemory<Input, Output> {
  input(tensor: TensorInfo): Input;
  output(spec: OutputSpec): Output;
}

/** What tfjs and the checks of an op pass to a kernel. */
interface CheckedCall<D extends OpDeclaration> {
  readonly inputs: NamedTensorInfoMap;
  readonly attributes: AttributesOf<D['attributes']>;
  readonly outputs: readonly OutputSpec[];
}

/** Builds the arguments of a kernel. Omitted optional inputs are `absent`. Outputs are allocated first. */
export function kernelArguments<D extends OpDeclaration, Input, Output>(
  op: D,
  call: CheckedCall<D>,
  memory: KernelMemory<Input, Output>,
  absent?: Input,
): KernelArguments<D, Input, Output> {
  // Plain loops, because this runs for every op.
  const outputs: Record<string, Output> = {};
  op.outputNames.forEach((name, i) => {
    outputs[name] = memory.output(call.outputs[i]);
  });
  const inputs: Record<string, Input | undefined> = {};
  const shapes: Record<string, readonly number[]> = {};
  for (const name in op.inputs) {
    const tensor = call.inputs[name] as TensorInfo | undefined;
    inputs[name] = tensor ? memory.input(tensor) : absent;
    shapes[name] = tensor?.shape ?? [];
  }
  return { inputs, outputs, shapes, attributes: call.attributes } as KernelArguments<D, Input, Output>;
}
