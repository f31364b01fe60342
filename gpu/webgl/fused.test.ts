/** The fused ops on WebGL, in Chromium. */
import t from 'tap';
import { runPageTests } from './testing/chromium.js';

t.test('fused ops in Chromium', (t) => runPageTests(t, 'fused'));
