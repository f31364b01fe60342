import t from 'tap';
import type { Device } from './driver.js';
import { Float32, gridOf, Launcher } from './launch.js';

/** A device that only records launches. */
function recordingDevice() {
  const launches: { kernel: number; grid: number[]; bytes: Uint8Array }[] = [];
  const argumentBytes = new ArrayBuffer(4096);
  const device: Pick<Device, 'argumentBytes' | 'findKernel' | 'launch'> = {
    argumentBytes,
    findKernel: (name) => name.length,
    launch: (kernel, ...rest) => {
      launches.push({
        kernel,
        grid: rest.slice(0, 6),
        bytes: new Uint8Array(argumentBytes.slice(0, rest[6])),
      });
    },
  };
  return { launches, launcher: new Launcher(device as Device) };
}

t.test('arguments are laid out as C++ does', (t) => {
  const { launches, launcher } = recordingDevice();
  const address = 0x1_8000_0004; // beyond 32 bits, the lower half negative as an int32
  launcher.launch('k', gridOf(1), 7, { address, bytes: 4 }, new Float32(0.5), [1, -2, 3], null);
  const view = new DataView(launches[0].bytes.buffer);
  t.equal(view.getInt32(0, true), 7);
  t.equal(Number(view.getBigUint64(8, true)), address, 'aligned to 8 bytes');
  t.equal(view.getFloat32(16, true), 0.5);
  t.same(
    [20, 24, 28].map((at) => view.getInt32(at, true)),
    [1, -2, 3],
  );
  t.equal(view.getBigUint64(32, true), 0n, 'a null pointer');
  t.equal(view.byteLength, 40);
  t.end();
});

t.test('grids', (t) => {
  const { launches, launcher } = recordingDevice();
  launcher.launch('a', gridOf(0));
  t.equal(launches.length, 0, 'nothing to do is not started');
  launcher.launch('a', gridOf(257));
  launcher.launch('a', { blocks: [2, 3, 4], threads: [8, 16], sharedBytes: 64 });
  launcher.launch('a', gridOf(2 ** 31));
  t.same(
    launches.map(({ grid }) => grid),
    [
      [2, 1, 1, 256, 1, 0],
      [2, 3, 4, 8, 16, 64],
      [65_535, 1, 1, 256, 1, 0],
    ],
  );
  t.equal(launcher.count, 3);
  t.end();
});
