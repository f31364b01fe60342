/** Runs the WebGL benchmark in Chromium. */
import t from 'tap';
import { runPageTests } from './testing/chromium.js';

t.test('the bench in Chromium', (t) => runPageTests(t, 'bench'));
