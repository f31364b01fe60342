/** Trees and scans on WebGL, in Chromium. */
import t from 'tap';
import { runPageTests } from './testing/chromium.js';

t.test('trees and scans in Chromium', (t) => runPageTests(t, 'tree'));
