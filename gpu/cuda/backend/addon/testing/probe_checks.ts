/** What every implementation of the driver interface must do, checked with the kernels of kernels/probe.cu. */
import type { Test } from 'tap';
import type { Device } from '../../driver.js';

/** Packs parameters like C++. */
class Packer {
  private readonly view: DataView;
  private end = 0;
  constructor(device: Device) {
    this.view = new DataView(device.argumentBytes);
  }
  get size(): number {
    return this.end;
  }
  private place(alignment: number, size = alignment): number {
    const start = Math.ceil(this.end / alignment) * alignment;
    this.end = start + size;
    return start;
  }
  pointer(address: number): this {
    this.view.setBigUint64(this.place(8), BigInt(address), true);
    return this;
  }
  int(value: number): this {
    this.view.setInt32(this.place(4), value, true);
    return this;
  }
  float(value: number): this {
    this.view.setFloat32(this.place(4), value, true);
    return this;
  }
  byte(value: number): this {
    this.view.setUint8(this.place(1), value);
    return this;
  }
  double(value: number): this {
    this.view.setFloat64(this.place(8), value, true);
    return this;
  }
  /** struct { short; double; } */
  pair(first: number, second: number): this {
    const start = this.place(8, 16);
    this.view.setInt16(start, first, true);
    this.view.setFloat64(start + 8, second, true);
    return this;
  }
}

interface Shape {
  readonly blocks?: readonly [number, number, number];
  readonly threads: readonly [number, number];
  readonly sharedBytes?: number;
}

function launch(device: Device, name: string, shape: Shape, fill: (packer: Packer) => Packer): void {
  const { blocks = [1, 1, 1], threads, sharedBytes = 0 } = shape;
  const { size } = fill(new Packer(device));
  device.launch(device.findKernel(name), ...blocks, ...threads, sharedBytes, size);
}

const range = (size: number): number[] => Array.from({ length: size }, (_, i) => i);

/** Checks a whole device; does not close it, and leaks no memory. */
export async function testDriver(t: Test, device: Device): Promise<void> {
  const addresses: number[] = [];
  const allocate = (bytes: number): number => {
    const address = device.allocate(bytes);
    addresses.push(address);
    return address;
  };
  await t.test('describes itself', async (t) => {
    const { sharedBytesPerBlock, multiprocessors, totalBytes } = device.description;
    t.ok(sharedBytesPerBlock >= 48 * 1024 && multiprocessors >= 1 && totalBytes > 0);
    t.ok(device.freeBytes() <= totalBytes);
    t.equal(device.argumentBytes.byteLength, 4096);
    t.throws(() => device.findKernel('no_such_kernel'), /there is no kernel no_such_kernel/);
  });
  await t.test('moves memory', (t) => testMemory(t, device, allocate));
  await t.test('passes every kind of parameter', (t) => testParameters(t, device, allocate));
  await t.test('runs threads: positions, barriers, warps, atomics', (t) => testThreads(t, device, allocate));
  await t.test('rounds as asked', (t) => testRounding(t, device, allocate));
  await t.test('refuses launches that cannot be', (t) => testLimits(t, device, allocate));
  for (const address of addresses) device.free(address);
}

type Allocate = (bytes: number) => number;

async function testMemory(t: Test, device: Device, allocate: Allocate): Promise<void> {
  const a = allocate(4000);
  const b = allocate(4000);
  t.equal(a % 256, 0);
  const source = Float32Array.from(range(1000), (i) => i / 3);
  const expected = source.slice();
  device.upload(a, source);
  source.fill(-1);
  device.copy(b, a, 4000);
  device.fill(a, 0x3f800000, 999);
  const later = new Float32Array(1000);
  const download = device.download(b, later);
  // Later work does not change the download.
  device.fill(b, -1, 1000);
  const ones = new Float32Array(1000);
  device.downloadSync(a, ones);
  t.equal(ones[998], 1);
  t.equal(ones[999], expected[999]);
  await download;
  t.same(later, expected);
  // A view in the middle of a buffer, at an address in the middle of an allocation.
  device.upload(a + 4, new Uint8Array([0, 1, 2, 3, 4, 5]).subarray(1, 5));
  const bytes = new Uint8Array(8);
  device.downloadSync(a + 4, new DataView(bytes.buffer, 2, 4));
  t.same([...bytes], [0, 0, 1, 2, 3, 4, 0, 0]);
  device.downloadSync(b, bytes);
  t.same([...bytes], Array(8).fill(255));
  // Longer than one piece of an upload.
  const long = Uint32Array.from(range(3_000_000), (i) => i * 2654435761);
  const c = allocate(long.byteLength);
  device.upload(c, long);
  const back = new Uint32Array(long.length);
  await device.download(c, back);
  t.ok(Buffer.from(back.buffer).equals(Buffer.from(long.buffer)), 'a long upload comes back');
  const start = device.recordEvent();
  device.fill(c, 0, long.length);
  t.ok((await device.elapsed(start, device.recordEvent())) >= 0);
  // Memory that was transferred in the meantime is not written to.
  const given = new Uint8Array(8);
  const lost = device.download(a, given);
  structuredClone(given.buffer, { transfer: [given.buffer] });
  await t.rejects(lost, /given away/);
  t.throws(() => device.allocate(-1), /whole number/);
}

async function testParameters(t: Test, device: Device, allocate: Allocate): Promise<void> {
  const numbers = allocate(64 * 4);
  const wide = allocate(64 * 8);
  launch(device, 'probe_parameters', { blocks: [2, 1, 1], threads: [32, 1] }, (p) =>
    p
      .pointer(numbers)
      .pointer(wide)
      .int(-7)
      .float(0.25)
      .byte(200)
      .pair(-3, 2 ** 40)
      .double(10.5)
      .int(64),
  );
  const real = new Float32Array(64);
  const integers = new BigInt64Array(64);
  device.downloadSync(numbers, real);
  device.downloadSync(wide, integers);
  t.same([...real], Array(64).fill(193.25));
  t.same(
    [...integers],
    range(64).map((i) => BigInt(2 ** 40 + 7 + i)),
  );
}

async function testThreads(t: Test, device: Device, allocate: Allocate): Promise<void> {
  const positions = allocate(24 * 96 * 4);
  launch(device, 'probe_positions', { blocks: [2, 3, 4], threads: [32, 3] }, (p) => p.pointer(positions));
  const where = new Int32Array(24 * 96);
  device.downloadSync(positions, where);
  t.same(
    [...where],
    range(24 * 96).map((i) => Math.floor(i / 96) * 10000 + (i % 96)),
  );

  for (const size of [1, 31, 96, 1000, 1024]) {
    const buffer = allocate(3 * size * 4);
    device.upload(
      buffer,
      Int32Array.from(range(3 * size), (i) => (i * 7) % 11),
    );
    launch(
      device,
      'probe_prefix_sums',
      { blocks: [3, 1, 1], threads: [size, 1], sharedBytes: 8 * size },
      (p) => p.pointer(buffer).pointer(buffer),
    );
    const sums = new Int32Array(3 * size);
    device.downloadSync(buffer, sums);
    let sum = 0;
    const expected = range(3 * size).map((i) => (sum = (i % size === 0 ? 0 : sum) + ((i * 7) % 11)));
    t.same([...sums], expected, `prefix sums of ${size}`);
  }

  const { sharedBytesPerBlock } = device.description;
  const most = allocate(4 * 64);
  device.fill(most, 1, 64);
  launch(device, 'probe_prefix_sums', { threads: [64, 1], sharedBytes: sharedBytesPerBlock }, (p) =>
    p.pointer(most).pointer(most),
  );
  const counted = new Int32Array(64);
  device.downloadSync(most, counted);
  t.equal(counted[63], 64, 'all of the shared memory');

  const warp = allocate(320 * 8);
  launch(device, 'probe_warp', { threads: [32, 1] }, (p) => p.pointer(warp));
  const rows = new Float64Array(320);
  device.downloadSync(warp, rows);
  const bits = (i: number): number => i.toString(2).replaceAll('0', '').length;
  const expected: ((lane: number) => number)[] = [
    () => 5,
    (lane) => (lane < 3 ? lane : lane - 3),
    (lane) => (lane % 8 < 4 ? lane + 4 : lane),
    (lane) => lane ^ 17,
    (lane) => ((lane + 1) % 32) * 2 ** 40,
    () => range(32).reduce((ballot, lane) => ballot + (lane % 3 === 0 ? 2 ** lane : 0), 0),
    () => 1,
    () => 1,
    (lane) => (lane < 16 ? 120 : lane),
    (lane) => bits(lane) + 10 * Math.clz32(lane) + 1000 * (lane === 0 ? 0 : Math.log2(lane & -lane) + 1),
  ];
  for (const [row, of] of expected.entries()) {
    t.same([...rows.subarray(32 * row, 32 * row + 32)], range(32).map(of), `exchange ${row}`);
  }

  const integers = allocate(7 * 4);
  const smallest = allocate(8);
  const real = allocate(4);
  const exact = allocate(8);
  device.fill(integers, 0, 7);
  device.fill(smallest, -1, 2);
  device.fill(real, 0, 1);
  device.fill(exact, 0, 2);
  launch(device, 'probe_atomics', { blocks: [4, 1, 1], threads: [256, 1] }, (p) =>
    p.pointer(integers).pointer(smallest).pointer(real).pointer(exact),
  );
  const counts = new Int32Array(7);
  const least = new BigUint64Array(1);
  const halves = new Float32Array(1);
  const quarters = new Float64Array(1);
  device.downloadSync(integers, counts);
  device.downloadSync(smallest, least);
  device.downloadSync(real, halves);
  device.downloadSync(exact, quarters);
  t.same([...counts], [523776, 512 + 1000 + 30000, -1023, 1023, 0x7fffffff, 1, 42]);
  t.equal(least[0], 77n);
  t.equal(halves[0], 512);
  t.equal(quarters[0], 256);
}

async function testRounding(t: Test, device: Device, allocate: Allocate): Promise<void> {
  const given = Float32Array.from([1.0000001, 3, 1 / 3, 1.1, 7.7e-20, 12345.678]);
  const x = allocate(given.byteLength);
  const out = allocate(4 * given.byteLength);
  const exact = allocate(8 * given.length);
  device.upload(x, given);
  launch(device, 'probe_rounding', { threads: [32, 1] }, (p) =>
    p.pointer(x).pointer(out).pointer(exact).int(given.length),
  );
  const single = new Float32Array(4 * given.length);
  const double = new Float64Array(given.length);
  device.downloadSync(out, single);
  device.downloadSync(exact, double);
  const { fround } = Math;
  const flipped = new Float32Array(new Uint32Array(given.slice().buffer).map((word) => word ^ 1).buffer);
  for (const [i, v] of given.entries()) {
    t.same(
      [...single.subarray(4 * i, 4 * i + 4)],
      [fround(fround(v * v) - 1), fround(1 / v), fround(Math.sqrt(v)), flipped[i]],
      `float32 ${v}`,
    );
    t.equal(double[i], Math.sqrt((v * v + 1) / 3));
  }
}

async function testLimits(t: Test, device: Device, allocate: Allocate): Promise<void> {
  const out = allocate(64);
  const start = (shape: Shape) => () => launch(device, 'probe_positions', shape, (p) => p.pointer(out));
  const { sharedBytesPerBlock } = device.description;
  t.throws(
    start({ threads: [1025, 1] }),
    /probe_positions: 1025 x 1 threads a block; 1 to 1024 are possible/,
  );
  t.throws(start({ threads: [0, 1] }), /0 x 1 threads a block/);
  t.throws(start({ blocks: [0, 1, 1], threads: [1, 1] }), /a grid of 0 x 1 x 1 blocks/);
  t.throws(start({ blocks: [1, 65536, 1], threads: [1, 1] }), /a grid of 1 x 65536 x 1 blocks/);
  t.throws(
    start({ threads: [1, 1], sharedBytes: sharedBytesPerBlock + 1 }),
    /bytes of dynamic shared memory/,
  );
}
