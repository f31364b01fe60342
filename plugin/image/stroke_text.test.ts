import t from 'tap';
import { fittedText, shortNumber, textStrokes, textWidth } from './stroke_text.js';

t.test('shortNumber keeps two digits', async (t) => {
  const shown = [0, 1, 0.354, 0.01, 12.34, 999, 1000, 123456, 0.00312, 3.14e-7, 1e-45].map(shortNumber);
  t.same(shown, ['0', '1', '0.35', '0.01', '12', '1000', '1e3', '1.2e5', '3.1e-3', '3.1e-7', '1e-45']);
});

t.test('every character of a name is drawn, inside its width, and no two look alike', async (t) => {
  const printable = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
  const shapes = new Map<string, string>();
  for (const character of [...printable, 'é', '中']) {
    const lines = textStrokes(character, 3, 4, 2);
    const width = textWidth(character, 2);
    const isInside = (at: number, i: number) =>
      i % 2 === 0 ? at >= 3 && at <= 4 + width : at >= 4 && at <= 30;
    t.ok(
      lines.length > 0 && lines.every((points) => points.length >= 4 && points.every(isInside)),
      character,
    );
    const shape = JSON.stringify(lines);
    if (/[\w.,:;!?'"+=*/\\|<>()[\]#%&-]/.test(character)) {
      t.notOk(shapes.has(shape), `${character} looks like ${shapes.get(shape)}`);
      shapes.set(shape, character);
    }
  }
  t.same(textStrokes('é', 0, 0), textStrokes('e', 0, 0), 'without its accent');
  t.not(textStrokes('中', 0, 0).length, 0, 'a box for what has no glyph');
});

t.test('a text that is too long is cut', async (t) => {
  t.equal(fittedText('cat', 100), 'cat');
  const cut = fittedText('a very long name of a class', 100);
  t.match(cut, /^a very.*\.\.\.$/);
  t.ok(textWidth(cut) <= 100);
  t.equal(textWidth(''), 0);
});
