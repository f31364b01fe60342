/** Parquet with more lines than a row group, read by another library. */
import { parquetReadObjects } from 'hyparquet';
import t from 'tap';
import type { Table } from './table.js';
import { parquetWriter } from './table_writers.js';

interface Counted {
  readonly file: string;
  readonly count: number;
}

t.test('all lines of all row groups, in order', async (t) => {
  const table: Table<Counted> = {
    columns: [{ name: 'count', type: 'integer' }],
    lines: ({ count }) => [[count]],
  };
  const pieces: Uint8Array[] = [];
  const writer = await parquetWriter(table as Table<{ file: string }>, async (bytes) => {
    pieces.push(bytes as Uint8Array);
  });
  const rows = Array.from({ length: 5000 }, (_, i) =>
    i % 3 === 0 ? { file: `${i}.png`, error: 'no image' } : { file: `${i}.png`, count: i },
  );
  for (const row of rows) await writer.write(row);
  await writer.end();
  t.ok(pieces.length >= 3, 'a row group is written when it is full');
  const { buffer } = Uint8Array.from(Buffer.concat(pieces));
  const read = await parquetReadObjects({ file: buffer });
  t.same(
    read,
    rows.map((row) => ({ count: null, error: null, ...row })),
  );
});
