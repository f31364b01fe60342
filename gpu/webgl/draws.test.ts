/** Tests the number of draws of computations on WebGL, in Chromium. */
import t from 'tap';
import { runPageTests } from './testing/chromium.js';

t.test('draws in Chromium', (t) => runPageTests(t, 'draws'));
