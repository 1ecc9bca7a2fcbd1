/** Which colour and size mean what; a category filters on click. */
import { useEffect, useState, type MouseEvent } from 'react';
import { useStore } from 'zustand';
import { MISSING, scaleGradient } from '../../core/palette';
import { putFilter, removeFilter, type Filter } from '../../core/state';
import { count, number } from '../../core/numbers';
import { useWidth } from '../../plots/useWidth';
import { useApp } from '../../ui/useApp';
import type { MapController } from './controller';
import { currentGround } from './inks';
import type { CategoryItem, CategoryScale, NumberScale } from './paint';
import styles from './map.module.css';

/** Pixels that the legend covers at the right. */
const WIDTH = 224;
/** On a narrower map no room is set aside for the legend, which would lie on the points. */
const LEAST = 4 * WIDTH;

export function MapLegend({ controller }: { controller: MapController }) {
  const scale = useStore(controller.store, (state) => state.scale);
  const sizing = useStore(controller.store, (state) => state.sizing);
  const size = sizing ? <SizeLegend scale={sizing.scale} /> : null;
  const isEmpty = scale.kind === 'plain' && !size;
  const [room, width] = useWidth(LEAST);
  const [said, setSaid] = useState<boolean | null>(null);
  const isOpen = said ?? width > LEAST;
  useEffect(() => controller.scene.setInset(isEmpty || !isOpen ? 0 : WIDTH), [controller, isEmpty, isOpen]);
  // A person says so by a press: that it opens or closes as there is room is nobody's word.
  const toggle = (event: MouseEvent) => {
    event.preventDefault();
    setSaid(!isOpen);
  };
  return (
    <div ref={room} className={styles.room}>
      {isEmpty ? null : (
        <aside className={styles.legend} aria-label="Legend">
          <details open={isOpen}>
            <summary onClick={toggle}>Legend</summary>
            {scale.kind === 'number' ? <NumberLegend scale={scale} /> : null}
            {scale.kind === 'category' ? <CategoryLegend scale={scale} /> : null}
            {scale.kind === 'layer' ? <LayerLegend items={scale.items} /> : null}
            {size}
          </details>
        </aside>
      )}
    </div>
  );
}

/** Whether the column is one of the table, and so can be filtered by. */
function useFilter(column: string): { canFilter: boolean; filters: Filter[] } {
  const canFilter = useApp((state) => state.detail?.columns.some(({ name }) => name === column) ?? false);
  const filters = useApp((state) => state.filters);
  return { canFilter, filters };
}

function Title({ column, note }: { column: string; note?: string }) {
  return (
    <p className={styles.legendTitle}>
      <span dir="auto" className="ellipsis" title={column}>
        {column}
      </span>
      {note ? <span className="muted"> {note}</span> : null}
    </p>
  );
}

function NumberLegend({ scale }: { scale: NumberScale }) {
  const { column, ramp, isLog, low, high, least, greatest, n, n_missing } = scale;
  const ends = [(least < low ? '≤ ' : '') + number(low), (greatest > high ? '≥ ' : '') + number(high)];
  return (
    <>
      <Title column={column} note={isLog ? 'logarithmic' : undefined} />
      {n ? (
        <>
          <div className={styles.ramp} style={{ background: scaleGradient(ramp, currentGround()) }} />
          <p className={styles.ends}>
            <span title={`Least: ${number(least)}`}>{ends[0]}</span>
            <span title={`Greatest: ${number(greatest)}`}>{ends[1]}</span>
          </p>
        </>
      ) : null}
      <MissingRow column={column} n={n_missing} />
    </>
  );
}

/** The missing have their own colour and their own place in the legend, even where there are none. */
function MissingRow({ column, n }: { column: string; n: number }) {
  const { canFilter, filters } = useFilter(column);
  const id = `range:${column}`;
  const isOnly = filters.some((filter) => filter.id === id && filter.kind === 'range' && filter.missing === 'only');
  const toggle = () =>
    isOnly
      ? removeFilter(id)
      : putFilter({ id, name: column, kind: 'range', column, low: null, high: null, missing: 'only' });
  return (
    <Row
      item={{ name: 'missing', text: 'missing', count: n, colour: MISSING[currentGround()] }}
      isRing
      isOn={isOnly}
      isOff={false}
      toggle={canFilter && n ? toggle : null}
    />
  );
}

const MOST_ROWS = 60;

function CategoryLegend({ scale }: { scale: CategoryScale }) {
  const { column, items, n_missing, repeats } = scale;
  const { canFilter, filters } = useFilter(column);
  const id = `values:${column}`;
  const filter = filters.find((each) => each.id === id);
  const values = filter?.kind === 'values' ? filter.values : [];
  const toggle = (value: string | null) => () => {
    const rest = values.includes(value) ? values.filter((each) => each !== value) : [...values, value];
    if (rest.length) putFilter({ id, name: column, kind: 'values', column, values: rest });
    else removeFilter(id);
  };
  const missing = { name: '', text: 'missing', count: n_missing, colour: MISSING[currentGround()] };
  return (
    <>
      <Title column={column} note={repeats ? 'colours recur' : undefined} />
      <ul className={styles.items}>
        {items.slice(0, MOST_ROWS).map((item) => (
          <li key={item.name}>
            <Row
              item={item}
              isOn={values.includes(item.name)}
              isOff={values.length > 0 && !values.includes(item.name)}
              toggle={canFilter ? toggle(item.name) : null}
            />
          </li>
        ))}
        <li>
          <Row
            item={missing}
            isRing
            isOn={values.includes(null)}
            isOff={values.length > 0 && !values.includes(null)}
            toggle={canFilter && n_missing ? toggle(null) : null}
          />
        </li>
      </ul>
      {items.length > MOST_ROWS ? <p className="muted">and {count(items.length - MOST_ROWS)} smaller ones</p> : null}
    </>
  );
}

function LayerLegend({ items }: { items: readonly CategoryItem[] }) {
  return (
    <>
      <Title column="SAE" />
      <ul className={styles.items}>
        {items.map((item) => (
          <li key={item.name}>
            <Row item={item} isOn={false} isOff={false} toggle={null} />
          </li>
        ))}
      </ul>
    </>
  );
}

interface RowProps {
  item: CategoryItem;
  isOn: boolean;
  isOff: boolean;
  /** Missing values are rings on the map, and here. */
  isRing?: boolean;
  toggle: (() => void) | null;
}

function Row({ item, isOn, isOff, isRing = false, toggle }: RowProps) {
  const label = item.text === item.name || item.name === '' ? item.text : `${item.name} · ${item.text}`;
  const mark = isRing ? { borderColor: item.colour } : { borderColor: item.colour, background: item.colour };
  const face = (
    <>
      <span className={styles.swatch} style={mark} />
      <span className={`${styles.itemText} ellipsis`} title={label}>
        {label === item.text ? null : `${item.name} · `}
        <bdi>{item.text}</bdi>
      </span>
      <span className="muted">{count(item.count)}</span>
    </>
  );
  if (!toggle) return <div className={styles.row}>{face}</div>;
  return (
    <button
      type="button"
      className={`quiet ${styles.row}`}
      aria-pressed={isOn}
      data-off={isOff || undefined}
      onClick={toggle}
    >
      {face}
    </button>
  );
}

function SizeLegend({ scale }: { scale: NumberScale }) {
  return (
    <div className={styles.size}>
      <Title column={scale.column} note="size" />
      <p className={styles.ends}>
        <span className={styles.dotSmall} /> {number(scale.ramp === 'diverging' ? 0 : scale.low)}
        <span className={styles.dotLarge} /> {number(scale.high)}
        <span className="muted">
          {scale.n_missing ? `${count(scale.n_missing)} missing, smallest` : 'none missing'}
        </span>
      </p>
    </div>
  );
}
