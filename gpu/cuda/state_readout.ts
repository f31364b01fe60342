/** StateReadout: state_readout.cu. */
import { rowsOf } from '../../plugin/kernels/sizes.js';
import { StateReadout } from '../../plugin/ops/state_readout.js';
import { Float32 } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';
import { gridOfRows } from './sizes.js';

registerCudaKernel(StateReadout, ({ inputs, outputs: { y }, shapes, attributes, call }) => {
  const { state, outputGate, x, skip, gate, stateGamma, stateBeta, outputGamma, outputBeta } = inputs;
  const rows = rowsOf(shapes.state);
  call.launch(
    'state_readout',
    gridOfRows(rows),
    ...[state, outputGate, x, skip, gate, stateGamma, stateBeta, outputGamma, outputBeta, y],
    rows,
    shapes.state[2],
    new Float32(attributes.epsilon),
  );
});
