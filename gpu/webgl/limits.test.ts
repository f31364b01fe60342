/** Tests limits and context losses on WebGL, in Chromium. */
import t from 'tap';
import { runPageTests } from './testing/chromium.js';

t.test('limits in Chromium', (t) => runPageTests(t, 'limits'));
