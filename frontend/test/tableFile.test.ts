import { columnFromArray, float64, int64, tableFromColumns, tableFromIPC, utf8 } from '@uwdata/flechette';
import { describe, expect, it } from 'vitest';
import { columnsOf, freeText, isMissing, numberColumn, textColumn, valueAt, type Column } from '../src/core/columns';
import { arrowBytes, delimited, fileName } from '../src/core/tableFile';

const TEXTS = ['plain', 'with, comma', 'say "hi"', 'two\nlines', null, '', ' spaces ', 'tab\there'];
const N = TEXTS.length;
const columns: Column[] = [
  numberColumn('feature', Float64Array.from(TEXTS.keys())),
  numberColumn('stats.max', Float64Array.from([0.1, 1 / 3, Number.NaN, -0, 1e300, 5e-324, 2, 3])),
  freeText('labels.text', TEXTS),
  textColumn('group', ['a', 'b', 'a', null, 'b', 'a', 'b', 'a']),
];
const order = Uint32Array.from([3, 1, 0, 2, 7, 6, 5, 4]);

describe('what is shown, as a file', () => {
  it('quotes what has to be quoted, and leaves missing cells empty', () => {
    const lines = delimited(columns, Uint32Array.from([0, 1, 2, 4, 5]), ',').split('\n');
    expect(lines).toEqual([
      'feature,stats.max,labels.text,group',
      '0,0.1,plain,a',
      '1,0.3333333333333333,"with, comma",b',
      '2,,"say ""hi""",a',
      '4,1e+300,,b',
      '5,5e-324,"",a',
      '',
    ]);
  });

  it('holds no text that a spreadsheet would compute, and numbers as they are', () => {
    const texts = ['=1+1', '+1', '-1', '@x', '\n=x', '＝1', "'=x", "'tis", 'a=b'];
    const here = [
      freeText('labels.text', texts),
      numberColumn(
        'value',
        Float64Array.from(texts, () => -1.5),
      ),
    ];
    const lines = delimited(here, Uint32Array.from(texts.keys()), '\t').replaceAll('"', '');
    expect(lines).toBe(`labels.text\tvalue\n${texts.map((text, i) => `${i < 7 ? "'" : ''}${text}\t-1.5\n`).join('')}`);
  });

  it('separates by tabs where asked', () => {
    expect(delimited(columns, Uint32Array.from([1, 7]), '\t').split('\n')[2]).toBe('7\t3\t"tab\there"\ta');
  });

  it('as Arrow holds the same values in the same order', async () => {
    const table = tableFromIPC(await arrowBytes(columns, order));
    expect(table.names).toEqual(columns.map(({ name }) => name));
    for (const column of columns)
      expect(Array.from(table.getChild(column.name), (value) => value ?? null)).toEqual(
        Array.from(order, (feature) => valueAt(column, feature)),
      );
  });

  it('as Arrow has the same types whichever lines are saved', async () => {
    const typesOf = async (features: number[]) =>
      tableFromIPC(await arrowBytes(columns, Uint32Array.from(features))).schema.fields.map(({ type }) => type.typeId);
    const whole = await typesOf([0, 1, 2, 3, 4, 5, 6, 7]);
    for (const some of [[2], [6, 7], []]) expect(await typesOf(some)).toEqual(whole);
  });

  it('names the SAE and the commit', () => {
    expect(fileName({ sae: 'gpt2/l 8', commit: 12, n: 3 }, 'csv')).toBe('gpt2-l-8-commit-12-3-features.csv');
  });
});

describe('columns of an answer', () => {
  it('are of texts where the server says so, though none is there', () => {
    const none = columnFromArray([null, null], utf8());
    const numbers = columnFromArray([null, null], float64());
    const columns = tableFromColumns({ feature: columnFromArray([0, 1], int64()), none, numbers });
    expect(columnsOf(columns, 2).map(({ name, type }) => [name, type])).toEqual([
      ['none', 'text'],
      ['numbers', 'number'],
    ]);
  });

  it('are searched and not ticked where people write sentences', () => {
    const texts = ['same', 'same', 'same', 'same'];
    expect([textColumn('labels.text', texts).type, textColumn('labels.by', texts).type]).toEqual(['text', 'category']);
  });

  it('are spread over all features by their ids', async () => {
    const table = tableFromIPC(await arrowBytes(columns, order));
    const back = columnsOf(table, N + 2);
    expect(back.map(({ name, type }) => [name, type])).toEqual([
      ['stats.max', 'number'],
      ['labels.text', 'text'],
      ['group', 'category'],
    ]);
    for (const column of back) {
      const source = columns.find(({ name }) => name === column.name)!;
      for (let i = 0; i < N; i++) expect(valueAt(column, i)).toBe(valueAt(source, i));
      expect(valueAt(column, N + 1)).toBeNull();
    }
  });

  it('of sentences are read where they lie, whatever batches they came in', async () => {
    const order = Uint32Array.from(TEXTS.keys());
    const whole = tableFromIPC(await arrowBytes(columns, order));
    const batches = columnFromArray(TEXTS, utf8(), { maxBatchRows: 3 });
    const inThree = tableFromColumns({ feature: whole.getChild('feature')!, 'labels.text': batches });
    expect(batches.data.length).toBe(3);
    for (const table of [whole, inThree]) {
      const column = columnsOf(table, N).find(({ name }) => name === 'labels.text')!;
      expect(TEXTS.map((_, i) => isMissing(column, i))).toEqual(TEXTS.map((text) => text === null));
      expect(TEXTS.map((_, i) => valueAt(column, i))).toEqual(TEXTS);
      expect(TEXTS.map((_, i) => valueAt(column, i))).toEqual(TEXTS);
      expect(valueAt(column, N)).toBeNull();
    }
  });

  it('of sentences are all there where none is missing', async () => {
    const texts = ['one', 'two', 'three'];
    const ids = numberColumn('feature', Float64Array.from(texts.keys()));
    const file = await arrowBytes([ids, freeText('labels.text', texts)], Uint32Array.from(texts.keys()));
    const [column] = columnsOf(tableFromIPC(file), texts.length);
    expect(texts.map((_, i) => isMissing(column, i))).toEqual([false, false, false]);
  });

  it('refuse an id that the SAE does not have', async () => {
    const table = tableFromIPC(await arrowBytes(columns, order));
    expect(() => columnsOf(table, 3)).toThrow('feature 3 of 3');
  });
});
