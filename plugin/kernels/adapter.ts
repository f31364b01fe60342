/** What the adapters of backends have in common: tensors become what a kernel works on, under their declared names. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { AttributesOf, OpDeclaration, OutputSpec } from '../ops/declaration.js';

/** What a kernel is called with. `Input` and `Output`: an array, an address, a tensor on a device. */
export interface KernelArguments<D extends OpDeclaration, Input, Output = Input> {
  readonly inputs: Readonly<Record<keyof D['inputs'], Input>>;
  /** Of the declared shapes, for the kernel to write. */
  readonly outputs: Readonly<Record<keyof D['outputs'], Output>>;
  /** Of the inputs. */
  readonly shapes: Readonly<Record<keyof D['inputs'], readonly number[]>>;
  readonly attributes: AttributesOf<D['attributes']>;
}

/** How a backend makes them. */
export interface KernelMemory<Input, Output> {
  input(tensor: TensorInfo): Input;
  output(spec: OutputSpec): Output;
}

/** What tfjs and the checks of an op give to a kernel. */
interface CheckedCall<D extends OpDeclaration> {
  readonly inputs: NamedTensorInfoMap;
  readonly attributes: AttributesOf<D['attributes']>;
  readonly outputs: readonly OutputSpec[];
}

/** The arguments of a kernel. Optional inputs that were left out are `absent`. Outputs are made first. */
export function kernelArguments<D extends OpDeclaration, Input, Output>(
  op: D,
  call: CheckedCall<D>,
  memory: KernelMemory<Input, Output>,
  absent?: Input,
): KernelArguments<D, Input, Output> {
  // Plain loops: this is done for every op.
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
