/** Tests trees built in shaders, in Chromium. */
import t from 'tap';
import { fitsDevice } from './device_tree.js';
import { runPageTests } from './testing/chromium.js';

t.test('what is too large for the device is made on the host', async (t) => {
  t.ok(fitsDevice(8, 6160, 3136, 4096));
  t.ok(fitsDevice(1, 2 ** 23, 2, 16384));
  t.notOk(fitsDevice(1, 2 ** 23 + 1, 2, 16384), 'whole numbers beyond 2^24');
  t.ok(fitsDevice(1, 2 ** 21, 2 ** 21, 4096));
  t.notOk(fitsDevice(2, 2 ** 21, 2 ** 21, 4096), 'more texels than a texture has');
});

t.test('trees made on the device, in Chromium', (t) => runPageTests(t, 'device_tree'));
