/**
 * `npm run test:webgpu`: the benchmark, the conformance suite and the tests of WebGPU in Node, on the available adapter: a GPU,
 * or the software driver of Chromium, which is marked, and whose times are not comparable. Runs the output of `npm run build`
 * with node only. Writes outcomes and figures to figures.json (`--out FILE`: another file), after every part; `--only NAME,...`
 * runs some parts.
 */
import { join } from 'node:path';
import { benchPart, CLI, describeDevice, runParts, testsPart } from './device_parts.mjs';
import { ROOT } from './setup.mjs';

const PARTS = {
  bench: benchPart('webgpu'),
  conformance: { command: [process.execPath, CLI, 'conformance', '--backends', 'webgpu', '--require'] },
  tests: testsPart('gpu/webgpu'),
};

/** The adapter found here, including the software driver, is passed to the parts. */
const DESCRIBE = `
  import '@tensorflow/tfjs-backend-webgpu';
  const { startWebgpu } = await import('./dist/gpu/webgpu/index.js');
  const { softwareVulkan } = await import('./dist/conformance/runners/software_vulkan.js');
  const adapter = await softwareVulkan(() => startWebgpu());
  console.log(JSON.stringify({ ...adapter, driver: process.env.VK_DRIVER_FILES }));
  process.exit();`;

function open() {
  const reason = (stderr) => /WebgpuUnavailableError: (.*)/.exec(stderr)?.[1];
  const { driver, ...device } = describeDevice(DESCRIBE, process.env, reason);
  return { device, env: { ...process.env, ...(driver && { VK_DRIVER_FILES: driver }) } };
}

const title = ({ name, isFallback }) =>
  `webgpu, ${name}${isFallback ? ' (software: its times rank nothing)' : ''}`;
runParts(PARTS, open, title, { out: join(ROOT, 'figures.json') });
