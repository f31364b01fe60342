/** The code that runs in a page: the same cases, fetched from the server of the page. */
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import type { ByteSource } from '../../converters/byte_source.js';
import { bytesSource } from '../../converters/byte_source.js';
import type { BackendName } from '../../plugin/backends.js';
import { type Sampling, sampled } from '../case.js';
import { loadCases } from '../cases/load.js';
import { toJson } from '../report/report.js';
import { type Progress, runConformance } from '../run.js';
import type { CaseSource } from '../source.js';
import { generatedCases } from '../spec_cases.js';
import { type KernelEntry, type Loaders, standardBackend, webglRenderer } from './standard.js';
import type { Target } from './targets.js';

export interface PageRequest {
  readonly backends: readonly Pick<Target, 'backend' | 'name' | 'flags' | 'threads'>[];
  /** Key of this environment in the report. */
  readonly environment: string;
  readonly seed: number;
  readonly generated: boolean;
  readonly sampling: Sampling;
  readonly fewerShaders: boolean;
}

/** Bundled kernels of this package, by backend. */
export type BundledKernels = Partial<Record<BackendName, KernelEntry>>;

declare global {
  interface Window {
    /** Called by the runner; resolves to the report as JSON. */
    runConformanceInPage?: (request: PageRequest) => Promise<string>;
    /** Provided by the runner. */
    reportConformanceProgress?: (progress: Progress) => void;
  }
}

/** Prepares the page for calls by the runner. */
export function servePage(kernels: BundledKernels): void {
  // From the server of the page.
  setWasmPaths('/tfjs-wasm/');
  window.runConformanceInPage = async ({
    backends,
    environment,
    seed,
    generated,
    sampling,
    fewerShaders,
  }) => {
    const loaders: Loaders = {
      where: 'in Chromium',
      stock: async () => {},
      kernels: async (backend) => kernels[backend],
      fewerShaders,
    };
    const all = [...(generated ? generatedCases(seed) : []), ...(await loadCases(fetchedSource))];
    const cases = sampled(all, sampling);
    const report = await runConformance({
      backends: backends.map((target) => standardBackend(target.backend, loaders, target)),
      cases,
      seed,
      onProgress: (progress) => window.reportConformanceProgress?.(progress),
      environment: {
        browsers: {
          [environment]: {
            userAgent: navigator.userAgent,
            crossOriginIsolated: window.crossOriginIsolated,
            renderer: webglRenderer(),
          },
        },
      },
    });
    return toJson(report);
  };
}

const fetchedSource: CaseSource = {
  list: async () => (await fetch('/cases.json')).json(),
  open: async (path): Promise<ByteSource> => {
    const response = await fetch(`/cases/${path.split('/').map(encodeURIComponent).join('/')}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
    return bytesSource(await response.arrayBuffer(), path);
  },
};
