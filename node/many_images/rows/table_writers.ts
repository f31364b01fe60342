/** Writes rows as CSV and as Parquet. */
import type { SchemaElement } from 'hyparquet-writer';
import type { FailedRow, ImageRow, RowWriter, Sink } from './row.js';
import { type Cell, type Column, type Table, wholeTable } from './table.js';

/** Lines per row group of Parquet, which are kept in memory. */
const GROUP_LINES = 2000;

type AnyTable = Table<ImageRow | FailedRow>;

/** A header line, then one or more lines per row; lines end with a line feed. */
export async function csvWriter(given: Table<ImageRow>, sink: Sink): Promise<RowWriter> {
  const { stringify } = await import('csv-stringify/sync');
  const { columns, lines }: AnyTable = wholeTable(given);
  await sink(stringify([columns.map(({ name }) => name)]));
  return {
    write: (row) => sink(stringify(lines(row).map((cells) => [...cells]))),
    end: async () => {},
  };
}

/** All columns are nullable; text is UTF-8, integers are INT32, numbers DOUBLE. */
export async function parquetWriter(given: Table<ImageRow>, sink: Sink): Promise<RowWriter> {
  const { ByteWriter, ParquetWriter } = await import('hyparquet-writer');
  const { columns, lines }: AnyTable = wholeTable(given);
  const bytes = new ByteWriter();
  const schema = [{ name: 'rows', num_children: columns.length }, ...columns.map(schemaOf)];
  const writer = new ParquetWriter({ writer: bytes, schema, createdBy: 'tfjs-grootvl' });
  const drain = async () => {
    const written = bytes.getBytes().slice();
    bytes.index = 0; // its position in the buffer; the position in the file is tracked separately
    await sink(written);
  };
  let group: (readonly Cell[])[] = [];
  const writeGroup = async () => {
    const columnData = columns.map(({ name }, i) => ({ name, data: group.map((cells) => cells[i]) }));
    await writer.write({ columnData, rowGroupSize: GROUP_LINES });
    group = [];
    await drain();
  };
  return {
    write: async (row) => {
      group.push(...lines(row));
      if (group.length >= GROUP_LINES) await writeGroup();
    },
    end: async () => {
      if (group.length > 0) await writeGroup();
      await writer.finish();
      await drain();
    },
  };
}

function schemaOf({ name, type }: Column): SchemaElement {
  if (type === 'text') {
    return { name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' };
  }
  return { name, type: type === 'integer' ? 'INT32' : 'DOUBLE', repetition_type: 'OPTIONAL' };
}
