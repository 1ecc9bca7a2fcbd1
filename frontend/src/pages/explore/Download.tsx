/** The table as it is shown, as a file. */
import type { Column } from '../../core/columns';
import { report } from '../../core/messages';
import { count, plural } from '../../core/numbers';
import { save } from '../../core/saveFile';
import { app } from '../../core/state';
import { arrowBytes, delimited, fileName } from '../../core/tableFile';
import { Popover } from '../../ui/Popover';
import { useApp } from '../../ui/useApp';
import styles from './explore.module.css';

const FORMATS = [
  { ending: 'csv', name: 'CSV', type: 'text/csv;charset=utf-8' },
  { ending: 'tsv', name: 'TSV', type: 'text/tab-separated-values;charset=utf-8' },
  { ending: 'arrows', name: 'Arrow stream', type: 'application/vnd.apache.arrow.stream' },
] as const;

type Format = (typeof FORMATS)[number];

/** Selected features as the table has them, and after them those that its filters hide. */
function inOrder(ids: Uint32Array, order: Uint32Array): Uint32Array {
  const left = new Set(ids);
  const shown = order.filter((feature) => left.delete(feature));
  return Uint32Array.from([...shown, ...left]);
}

async function download(format: Format, isSelection: boolean): Promise<void> {
  const { store, view, selection, columns: names } = app.getState();
  if (!store || !view) return;
  await store.load(names.filter((name) => !store.has(name)));
  const columns = ['feature', ...names]
    .map((name) => store.column(name))
    .filter((column): column is Column => column !== undefined);
  const features = isSelection && selection ? inOrder(selection.ids, view.order) : view.order;
  const name = fileName({ sae: store.sae, commit: store.commit, n: features.length }, format.ending);
  const content =
    format.ending === 'arrows'
      ? ((await arrowBytes(columns, features)) as BlobPart)
      : delimited(columns, features, format.ending === 'csv' ? ',' : '\t');
  save(name, new Blob([content], { type: format.type }));
}

export function Download() {
  const n = useApp((state) => state.view?.n ?? 0);
  const n_columns = useApp((state) => state.columns.length + 1);
  const n_selected = useApp((state) => state.selection?.ids.length ?? 0);
  const start = (format: Format, isSelection: boolean, close: () => void) => {
    close();
    download(format, isSelection).catch(report);
  };
  return (
    <Popover face="Download" className="quiet" title="What the table shows, as a file" isAtEnd>
      {(close) => (
        <div className={styles.menu}>
          <p className="muted">
            {plural(n, 'feature')} × {plural(n_columns, 'column')}, in this order, missing cells empty
          </p>
          {FORMATS.map((format) => (
            <button key={format.ending} type="button" className="quiet" onClick={() => start(format, false, close)}>
              {format.name}
            </button>
          ))}
          {n_selected ? (
            <button type="button" className="quiet" onClick={() => start(FORMATS[0], true, close)}>
              The {count(n_selected)} selected, as CSV
            </button>
          ) : null}
        </div>
      )}
    </Popover>
  );
}
