/** Tests whole models on WebGL, in Chromium. */
import t from 'tap';
import { runPageTests } from './testing/chromium.js';

t.test('models in Chromium', (t) => runPageTests(t, 'models'));
