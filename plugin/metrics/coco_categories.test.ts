import t from 'tap';
import { categoryOrder, usualCategoryIds } from './coco_categories.js';

const categories = [
  { id: 3, name: 'car' },
  { id: 1, name: 'person' },
  { id: 90, name: 'toothbrush' },
];

t.test('by name; by ids where names differ and there are as many', async (t) => {
  t.same(categoryOrder('a.json', categories, ['person', 'car', 'toothbrush']), {
    ids: [1, 3, 90],
    statement: 'categories by the names of the model',
  });
  const part = categoryOrder('a.json', categories, ['car']);
  t.same(part.ids, [3]);
  t.match(part.statement, /2 of the file are not classes of the model and left out/);
  t.same(categoryOrder('a.json', categories, ['0', '1', '2']).ids, [1, 3, 90]);
  t.same(categoryOrder('a.json', categories, ['human', 'car', 'brush']).ids, [1, 3, 90]);
  for (const names of [
    ['car', 'cat'],
    ['car', 'cat', 'person'], // equally many, but in another order
  ]) {
    t.throws(() => categoryOrder('a.json', categories, names), {
      message: `a.json has 3 categories, the model ${names.length} classes, of which "cat" is not among them`,
    });
  }
  const twice = [...categories, { id: 7, name: 'car' }];
  t.throws(() => categoryOrder('a.json', twice, ['car']), {
    message: 'a.json: the categories 3 and 7 are both named "car"',
  });
  t.same(categoryOrder('a.json', twice, ['person']).ids, [1]);
});

t.test("COCO's 80 classes have ids up to 90", async (t) => {
  const names = ['person', ...Array.from({ length: 78 }, (_, i) => `thing ${i}`), 'toothbrush'];
  const ids = usualCategoryIds(names);
  t.same([ids.length, ids[0], ids[10], ids[11], ids[79]], [80, 1, 11, 13, 90]);
  t.same(usualCategoryIds(['a', 'b']), [1, 2]);
});
