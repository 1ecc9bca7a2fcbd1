/** The table of features: only the rows in sight are in the document, however many there are. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState, type CSSProperties } from 'react';
import { announce } from '../../core/messages';
import { setHover, type AppState } from '../../core/state';
import { pathTo } from '../../core/url';
import { plural } from '../../core/numbers';
import { go } from '../Go';
import { useApp } from '../useApp';
import { HeaderRow, type ShownColumn } from './HeaderRow';
import { Row } from './Row';
import { widthOf } from './widths';
import styles from './table.module.css';
import { useTableKeys } from './useTableKeys';

const ROW_HEIGHT = 26;
/** Of the header, which stays above the rows. */
const HEAD_HEIGHT = 37;
const EMPTY = new Uint32Array(0);

/** Widths of columns: as much as their texts need. Every row is laid out by itself, so all agree. */
function layoutOf(columns: readonly ShownColumn[], n: number): CSSProperties {
  const widths = columns.map(({ column }) => widthOf(column, n));
  const tracks = ['30px', '72px', ...widths.map(({ least, most }) => `minmax(${least}px, ${most}px)`)];
  const least = widths.reduce((sum, each) => sum + each.least, 102);
  return { '--columns': tracks.join(' '), '--least': `${least}px` } as CSSProperties;
}

/** Says the count to those who do not see it, once it stays. */
function useAnnouncedCount(n: number | null, total: number): void {
  useEffect(() => {
    if (n === null) return;
    const timer = setTimeout(
      () => announce(n === total ? plural(n, 'feature') : `${n} of ${plural(total, 'feature')}`),
      600,
    );
    return () => clearTimeout(timer);
  }, [n, total]);
}

/** Whether the columns that sort and filter are all here, as far as there are any of that name. */
function isComplete({ sort, filters, store }: AppState): boolean {
  if (!store) return false;
  const needed = filters.flatMap((filter) => (filter.kind === 'set' ? [] : [filter.column]));
  if (sort) needed.push(sort.column);
  return needed.every((name) => store.has(name) || store.names?.has(name) === false);
}

export function FeatureTable() {
  const sae = useApp((state) => state.sae);
  const store = useApp((state) => state.store);
  const names = useApp((state) => state.columns);
  const revision = useApp((state) => state.revision);
  const view = useApp((state) => state.view);
  const focus = useApp((state) => state.focus);
  const isSettled = useApp(isComplete);
  const box = useRef<HTMLDivElement>(null);
  const shown = useRef<number | null>(null);
  const [active, setActive] = useState(0);
  const order = view?.order ?? EMPTY;
  const columns = useMemo(
    () => names.map((name) => ({ name, column: store?.column(name) })),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- revision says that columns arrived
    [names, store, revision],
  );
  useAnnouncedCount(view?.n ?? null, store?.n ?? 0);
  // The virtualiser keeps its own state, which the compiler's rules do not know.
  const rows = useVirtualizer({
    count: order.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 3,
    scrollMargin: HEAD_HEIGHT,
    scrollPaddingStart: HEAD_HEIGHT,
  });
  const show = (index: number) => {
    setActive(index);
    rows.scrollToIndex(index, { align: 'auto' });
  };
  const place = Math.min(active, Math.max(0, order.length - 1));
  const onKeyDown = useTableKeys({ order, place, show, pageSize: Math.max(1, rows.getVirtualItems().length - 8) });
  useEffect(() => {
    if (focus === null || order[place] === focus || shown.current === focus) return;
    const index = order.indexOf(focus);
    if (index < 0) return;
    show(index);
    // Until the columns of sort and filters are here the order is another one, and the place is looked for again.
    if (isSettled) shown.current = focus;
    // eslint-disable-next-line react-hooks/exhaustive-deps -- follows the drawer, and not itself
  }, [focus, order, isSettled]);
  const isInSight = rows.getVirtualItems().some(({ index }) => index === place);
  const layout = useMemo(() => layoutOf(columns, store?.n ?? 0), [columns, store]);
  return (
    <div
      ref={box}
      id="feature-table"
      className={styles.table}
      style={layout}
      role="grid"
      aria-label={`Features of ${sae}`}
      aria-rowcount={order.length + 1}
      aria-colcount={columns.length + 2}
      aria-multiselectable="true"
      aria-activedescendant={isInSight ? `feature-${order[place]}` : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onMouseLeave={() => setHover(null)}
    >
      <HeaderRow columns={columns} n={order.length} />
      <div className={styles.rows} role="rowgroup" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map(({ index, start }) => (
          <Row
            key={order[index]}
            feature={order[index]}
            index={index}
            top={start - HEAD_HEIGHT}
            columns={columns}
            isActive={index === place}
            onPoint={setActive}
            onOpen={(feature) => sae !== null && go(pathTo(sae, `f/${feature}`))}
          />
        ))}
      </div>
      {view && !order.length ? <NoneLeft /> : null}
    </div>
  );
}

function NoneLeft() {
  const n_filters = useApp((state) => state.filters.length);
  if (!n_filters) return <p className={styles.none}>This SAE has no features.</p>;
  return (
    <p className={styles.none}>
      No feature passes {n_filters === 1 ? 'the filter' : `all ${n_filters} filters`} above.
    </p>
  );
}
