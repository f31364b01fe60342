import { testRecorder } from '../../testing/recorder.js';
import './index.js';
import { NO_ADAPTER, startInNode } from './testing/node_device.js';

const backend = await startInNode();

testRecorder({
  name: 'webgpu',
  skip: !backend && NO_ADAPTER,
  bytesInUse: () => backend?.bufferManager.numBytesUsed ?? 0,
  recordsParts: true,
});
