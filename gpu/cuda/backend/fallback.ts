/**
 * Ops without a kernel on the device fall back to tfjs's own CPU kernels: inputs are read back, outputs stay in CPU memory
 * until a kernel of the device needs them. So every tfjs program works, but such ops are slow, and a warning names them.
 */
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import {
  getKernel,
  getKernelsForBackend,
  type KernelBackend,
  type NamedAttrMap,
  type NamedTensorInfoMap,
  registerKernel,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import type { CudaBackend } from './backend.js';

const warned = new Set<string>();
let cpuBackend: MathBackendCPU | undefined;

/** Registers the kernels of tfjs's `cpu` backend for ops for which `backendName` has no kernel, except exempt ones. */
export function fallBackToCpu(backendName: string, exempt: ReadonlySet<string>): void {
  for (const { kernelName } of getKernelsForBackend('cpu')) {
    if (getKernel(kernelName, backendName) || exempt.has(kernelName)) continue;
    registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => {
        if (!warned.has(kernelName)) {
          warned.add(kernelName);
          console.warn(
            `tfjs-grootvl: ${kernelName} has no kernel on the device; it runs on the CPU, and its tensors are copied there.`,
          );
        }
        return runOnCpu(
          kernelName,
          inputs as NamedTensorInfoMap,
          (attrs ?? {}) as NamedAttrMap,
          backend as CudaBackend,
        );
      },
    });
  }
}

/** Runs tfjs's CPU kernel on tensors of the device. Waits for the device. */
export function runOnCpu(
  kernelName: string,
  inputs: NamedTensorInfoMap,
  attrs: NamedAttrMap,
  backend: CudaBackend,
): TensorInfo | TensorInfo[] {
  const kernel = getKernel(kernelName, 'cpu');
  if (!kernel) throw new Error(`${kernelName} has no kernel for the backends cuda and cpu`);
  cpuBackend ??= new MathBackendCPU();
  const cpu = cpuBackend;
  const moved: TensorInfo[] = [];
  const toCpu = (info: TensorInfo): TensorInfo => {
    const there = copyToCpu(info, backend, cpu);
    moved.push(there);
    return there;
  };
  const given = mapTensors(inputs, toCpu) as NamedTensorInfoMap;
  try {
    const results = kernel.kernelFunc({ inputs: given, attrs, backend: cpu as KernelBackend });
    const back = [results].flat().map((result) => copyBack(result, backend, cpu));
    return Array.isArray(results) ? back : back[0];
  } finally {
    for (const { dataId } of moved) cpu.disposeData(dataId);
  }
}

/** Inputs are by name, or a list; some ops have lists among the named ones, and some omit inputs. */
function mapTensors(inputs: unknown, map: (info: TensorInfo) => TensorInfo): unknown {
  if (inputs == null) return inputs;
  if (Array.isArray(inputs)) return inputs.map((input) => mapTensors(input, map));
  if ('dataId' in (inputs as object)) return map(inputs as TensorInfo);
  return Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, mapTensors(input, map)]));
}

function copyToCpu(info: TensorInfo, backend: CudaBackend, cpu: MathBackendCPU): TensorInfo {
  const { shape, dtype } = info;
  if (dtype !== 'complex64') {
    const dataId = cpu.write(backend.readSync(info.dataId), shape, dtype);
    // Some of tfjs's CPU kernels read the rank of their inputs, which only tensors have.
    return Object.assign({ dataId, shape, dtype }, { rank: shape.length });
  }
  const { real, imag } = backend.partsOf(info);
  const dataId = cpu.write(null as never, shape, dtype);
  cpu.data.get(dataId).complexTensorInfos = {
    real: copyToCpu(real, backend, cpu),
    imag: copyToCpu(imag, backend, cpu),
  };
  return { dataId, shape, dtype };
}

function copyBack(result: TensorInfo, backend: CudaBackend, cpu: MathBackendCPU): TensorInfo {
  const { dataId, shape, dtype } = result;
  const { complexTensorInfos } = cpu.data.get(dataId);
  const copied = complexTensorInfos
    ? backend.complex(
        copyPart(complexTensorInfos.real, backend, cpu),
        copyPart(complexTensorInfos.imag, backend, cpu),
      )
    : copyPart(result, backend, cpu);
  cpu.disposeData(dataId);
  return { dataId: copied.dataId, shape, dtype };
}

/** A copy, because a kernel may return its input and a later one may overwrite it. */
function copyPart(
  { dataId, shape, dtype }: TensorInfo,
  backend: CudaBackend,
  cpu: MathBackendCPU,
): TensorInfo {
  const values = cpu.readSync(dataId);
  return { dataId: backend.write(values.slice() as typeof values, shape, dtype), shape, dtype };
}
