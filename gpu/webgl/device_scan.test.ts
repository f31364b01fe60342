/** Tests scans along trees built in shaders, in Chromium. */
import t from 'tap';
import { runPageTests } from './testing/chromium.js';

t.test('scans along trees of the device, in Chromium', (t) => runPageTests(t, 'device_scan'));
