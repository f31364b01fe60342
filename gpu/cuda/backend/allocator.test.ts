import fc from 'fast-check';
import t from 'tap';
import { Allocator, type Block, blockSize } from './allocator.js';
import { CudaOutOfMemoryError } from './errors.js';

/** A device of `capacity` bytes that records its allocations. */
function deviceOf(capacity: number) {
  const given = new Map<number, number>();
  let next = 256;
  const used = () => [...given.values()].reduce((sum, bytes) => sum + bytes, 0);
  return {
    given,
    allocate(bytes: number): number {
      if (used() + bytes > capacity) return 0;
      const address = next;
      next += bytes;
      given.set(address, bytes);
      return address;
    },
    free(address: number): void {
      if (!given.delete(address)) throw new Error(`${address} was not allocated, or was freed twice`);
    },
  };
}

t.test('sizes are rounded up, by an eighth at most where they are large', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (bytes) => {
      const size = blockSize(bytes);
      return size >= Math.max(bytes, 512) && (bytes < 2 ** 20 ? size - bytes <= 512 : size <= bytes * 1.125);
    }),
  );
  t.equal(blockSize(0), 512, 'an empty tensor has an address too');
  t.end();
});

t.test('blocks that are held never overlap, and what is given back is used again', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 5_000_000 }), fc.nat())), (steps) => {
      const device = deviceOf(1e9);
      const allocator = new Allocator(device);
      const held: Block[] = [];
      for (const [bytes, which] of steps) {
        if (which % 3 === 0 && held.length > 0) allocator.release(held.splice(which % held.length, 1)[0]);
        else held.push(allocator.allocate(bytes));
      }
      const addresses = new Set(held.map(({ address }) => address));
      const bytesHeld = held.reduce((sum, { bytes }) => sum + bytes, 0);
      const consistent = addresses.size === held.length && allocator.statistics().used === bytesHeld;
      for (const block of held) allocator.release(block);
      allocator.trim();
      return consistent && device.given.size === 0 && allocator.statistics().reserved === 0;
    }),
  );
  t.end();
});

t.test('what is kept is given back before memory runs out', (t) => {
  const allocator = new Allocator(deviceOf(10_000));
  allocator.release(allocator.allocate(8192));
  t.equal(allocator.statistics().reserved, 8192);
  const block = allocator.allocate(9000);
  t.equal(allocator.statistics().reserved, 9216, 'the kept block had to go');
  allocator.release(block);
  t.end();
});

t.test('an error says how much was asked for, and leaves the allocator usable', (t) => {
  for (const [allocator, limit] of [
    [new Allocator(deviceOf(10_000)), /the device has no more/],
    [new Allocator(deviceOf(1e9), 10_000), /the limit is 10000 bytes/],
  ] as const) {
    const held = allocator.allocate(5000);
    t.throws(() => allocator.allocate(8000), CudaOutOfMemoryError);
    t.throws(() => allocator.allocate(8000), limit);
    t.throws(() => allocator.allocate(8000), /8000 bytes asked for, 5120 bytes in use/);
    t.equal(allocator.statistics().used, 5120);
    allocator.release(held);
    t.ok(allocator.allocate(8000));
  }
  t.end();
});
