/**
 * `npm run test:webgpu`: the bench, the conformance suite and the tests of WebGPU in Node, on whatever adapter is there: a
 * GPU, or the software driver that comes with Chromium, which is marked and whose times rank nothing. It runs what `npm
 * run build` has made, with node alone. Outcomes and figures go into figures.json (`--out FILE`: another), after every
 * part; `--only NAME,...` runs some parts.
 */
import { join } from 'node:path';
import { benchPart, CLI, describeDevice, runParts, testsPart } from './device_parts.mjs';
import { ROOT } from './setup.mjs';

const PARTS = {
  bench: benchPart('webgpu'),
  conformance: { command: [process.execPath, CLI, 'conformance', '--backends', 'webgpu', '--require'] },
  tests: testsPart('gpu/webgpu'),
};

/** What is found here, the software driver with it, is given to the parts. */
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
