import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { loadCases, memorySource, runConformance } from '../index.js';
import { nodeLoaders } from '../node.js';
import { standardBackend } from '../runners/standard.js';

const folder = fileURLToPath(new URL('../../fixtures/dense/', import.meta.url));

/** Verdicts of a file on cpu. @param edit changes the values, or the header to one of the same length */
async function run(name: string, edit?: (file: Uint8Array, header: string) => string | undefined) {
  const bytes = new Uint8Array(readFileSync(`${folder}${name}.safetensors`));
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  const changed = edit?.(bytes, header);
  if (changed) bytes.set(new TextEncoder().encode(changed), 8);
  const cases = await loadCases(memorySource(new Map([[`${name}.safetensors`, bytes]])));
  return (await runConformance({ backends: [standardBackend('cpu', nodeLoaders)], cases })).cases;
}

/** Adds to the first value of a tensor: float32, or int32 if `integer` is set. */
function add(bytes: Uint8Array, header: string, tensor: string, amount: number, integer = false): void {
  const [begin] = JSON.parse(header)[tensor].data_offsets;
  const view = new DataView(bytes.buffer);
  const at = begin + 8 + header.length;
  if (integer) view.setInt32(at, view.getInt32(at, true) + amount, true);
  else view.setFloat32(at, view.getFloat32(at, true) + amount, true);
}

t.test('every case of the files passes', async (t) => {
  for (const [name, count] of Object.entries({
    ops_roi_align: 53,
    ops_nms: 16,
    ops_resize: 50,
    ops_adaptive_pool: 72,
    ops_boxes: 10,
    ops_paste: 1,
  })) {
    const cases = await run(name);
    const failed = cases.filter(({ verdict }) => verdict !== 'pass');
    t.same(
      failed.map(({ case: what, reason }) => `${what}: ${reason}`),
      [],
      name,
    );
    t.equal(cases.length, count, name);
  }
});

t.test('a value that is changed in a file fails', async (t) => {
  const edits: [file: string, tensor: string, amount: number, reason: RegExp][] = [
    [
      'ops_roi_align',
      'scale0.5_aligned.out7x7_s0.output',
      1e-3,
      /^y \(scale0.5_aligned.out7x7_s0.output\)\[0\]/,
    ],
    [
      'ops_roi_align',
      'scale1_legacy.out3x3_s1.grad_input',
      1e-2,
      /^features \(scale1_legacy.out3x3_s1.grad_input/,
    ],
    ['ops_roi_align', 'extractor.out7', 1e-3, /^y \(extractor.out7\)\[0\]/],
    ['ops_roi_align', 'extractor.level', 1, /^byLevel \(extractor.level\)/],
    ['ops_nms', 'ties40_0.4.keep', 1, /the file contradicts itself: ties40_0.4.dets are not the boxes/],
    [
      'ops_nms',
      'multiclass_shared.labels',
      1,
      /the file contradicts itself: multiclass_shared.labels and .inds/,
    ],
    ['ops_resize', 'nearest_3x4_5x7.output', 1e-3, /^y \(nearest_3x4_5x7.output\)\[0\]/],
    ['ops_adaptive_pool', '17x5_to3.grad_input', 1e-3, /^x \(17x5_to3.grad_input\)\[0\]/],
    ['ops_boxes', 'rcnn_3classes.boxes', 1e-2, /^decoded \(rcnn_3classes.boxes\)\[0\]/],
    ['ops_boxes', 'anchors.base.2', 1, /the file contradicts itself: anchors.base.2 are not those/],
    ['ops_boxes', 'anchors.grid.1', 1e-3, /anchors.base.1 are not those|^anchors \(anchors.grid.1\)/],
    ['ops_paste', 'pasted', 1, /the file contradicts itself: pixel 0 of mask 0/],
  ];
  for (const [file, tensor, amount, reason] of edits) {
    const integer = /keep|labels|level$/.test(tensor);
    const cases = await run(file, (bytes, header) => void add(bytes, header, tensor, amount, integer));
    const failed = cases.filter(({ verdict }) => verdict === 'fail');
    t.ok(failed.length > 0, `${file}, ${tensor}`);
    t.match(failed[0]?.reason, reason, `${file}, ${tensor}`);
  }
});

t.test('metadata that no case can be made of are a skip that says so', async (t) => {
  const edits: [file: string, from: string, to: string, reason: RegExp][] = [
    [
      'ops_roi_align',
      '\\"output_size\\": [7, 7]',
      '\\"output_size\\": [7   ]',
      /have \[7\], expected 2 numbers/,
    ],
    ['ops_nms', '\\"kind\\": \\"nms\\"', '\\"kind\\": null ', /no case that this suite knows/],
    ['ops_boxes', '"rcnn.deltas"', '"rcnn.delta_"', /the case rcnn lacks tensors that rpn has/],
  ];
  for (const [file, from, to, reason] of edits) {
    const padded = to.padEnd(from.length);
    const cases = await run(file, (_, header) => header.replace(from, () => padded));
    t.match(cases, [{ verdict: 'skip', reason }], file);
  }
});
