/** The table of all features, with filters at its left, and the map or one feature at its right. */
import { lazy, Suspense, useEffect, useMemo, useState } from 'react';
import { count } from '../../core/numbers';
import { patch } from '../../core/state';
import { FilterRail } from '../../ui/filters/FilterRail';
import { Chips } from '../../ui/filters/Chips';
import { DrawerPane } from '../../ui/drawer/DrawerPane';
import { useReady } from '../../ui/ready';
import { Split } from '../../ui/Split';
import { FeatureTable } from '../../ui/table/FeatureTable';
import { useApp } from '../../ui/useApp';
import { useCommands } from '../../ui/useCommands';
import { BulkLabel } from './BulkLabel';
import { ColumnChooser } from './ColumnChooser';
import { Download } from './Download';
import styles from './explore.module.css';

const MapPane = lazy(() => import('../map/MapPane').then((module) => ({ default: module.MapPane })));

const RAIL = 'saeatlas.rail';
const MAP = 'saeatlas.map-beside';
/** A window from this width on has room for the table and the map. */
const WIDE = 1500;
/** In narrower windows the filters would leave too little of the table; they are a press away. */
const NARROW = 700;

/** Whether the map is beside the table: as the address says, as this browser remembers, or where there is room. */
function useMapBeside(): [boolean, () => void] {
  const said = useApp((state) => state.isMapBeside);
  const [usual, toggleUsual] = useShown(MAP, innerWidth >= WIDE);
  const isShown = said ?? usual;
  const toggle = () => {
    if (isShown === usual) toggleUsual();
    patch({ isMapBeside: !isShown });
  };
  return [isShown, toggle];
}

/** Whether something is shown, as this browser remembers it. */
function useShown(key: string, initial: boolean): [boolean, () => void] {
  const [isShown, setShown] = useState(() => {
    try {
      return (localStorage.getItem(key) ?? String(initial)) === 'true';
    } catch {
      return initial;
    }
  });
  const toggle = () => {
    setShown(!isShown);
    try {
      localStorage.setItem(key, String(!isShown));
    } catch {
      // A browser that keeps nothing begins as at first.
    }
  };
  return [isShown, toggle];
}

interface BarProps {
  isRail: boolean;
  isMap: boolean;
  onRail: () => void;
  onMap: () => void;
  onColumns: () => void;
  onLabel: () => void;
}

function Bar({ isRail, isMap, onRail, onMap, onColumns, onLabel }: BarProps) {
  const isReadOnly = useApp((state) => state.readOnly);
  const n = useApp((state) => state.view?.n ?? null);
  const total = useApp((state) => state.store?.n ?? 0);
  const hasMap = useApp((state) => (state.detail?.projections.length ?? 0) > 0);
  return (
    <div className={`${styles.bar} no-print`}>
      <button type="button" className="quiet" aria-pressed={isRail} onClick={onRail} title="Filters (f)">
        Filters
      </button>
      <span className={styles.count}>
        <b>{n === null ? '…' : count(n)}</b> of {count(total)}
      </span>
      <Chips onLabel={isReadOnly ? null : onLabel} />
      <span className={styles.tools}>
        <button type="button" className="quiet" onClick={onColumns} title="Choose columns (c)">
          Columns
        </button>
        <Download />
        <button
          type="button"
          className="quiet"
          aria-pressed={isMap}
          disabled={!hasMap}
          onClick={onMap}
          title={hasMap ? 'Show the map beside the table (m)' : 'This SAE has no map: the analysis umap makes one'}
        >
          Map
        </button>
      </span>
    </div>
  );
}

export default function Explore() {
  const [isRail, toggleRail] = useShown(RAIL, innerWidth >= NARROW);
  const [isMap, toggleMap] = useMapBeside();
  const [dialog, setDialog] = useState<'columns' | 'label' | null>(null);
  const sae = useApp((state) => state.sae);
  const isHere = useApp((state) => state.view !== null && state.columns.every((name) => state.store?.has(name)));
  const hasMap = useApp((state) => (state.detail?.projections.length ?? 0) > 0);
  const hasSelection = useApp((state) => !!state.selection?.ids.length && !state.readOnly);
  useReady('explore', isHere);
  useEffect(() => {
    document.title = `${sae} · saeatlas`;
  }, [sae]);
  const commands = useMemo(
    () => [
      { keys: 'f', label: 'Show or hide the filters', group: 'Table', run: toggleRail },
      { keys: 'm', label: 'Show or hide the map beside the table', group: 'Table', run: () => hasMap && toggleMap() },
      { keys: 'c', label: 'Choose columns', group: 'Table', run: () => setDialog('columns') },
      { keys: 'l', label: 'Label the selection', group: 'Table', run: () => hasSelection && setDialog('label') },
    ],
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the toggles follow from what is shown
    [isRail, isMap, hasMap, hasSelection],
  );
  useCommands(commands);
  const isSplit = isMap && hasMap;
  return (
    <main className={styles.explore} aria-label="Table of features">
      <h1 className="visually-hidden">Features of {sae}</h1>
      <Bar
        isRail={isRail}
        isMap={isSplit}
        onRail={toggleRail}
        onMap={toggleMap}
        onColumns={() => setDialog('columns')}
        onLabel={() => setDialog('label')}
      />
      <div className={styles.panes}>
        {isRail ? (
          <div className={`${styles.rail} no-print`}>
            <FilterRail />
          </div>
        ) : null}
        <div className={styles.middle}>
          {isSplit ? (
            <Split
              name="Width of the table"
              memory="explore"
              first={<FeatureTable />}
              second={
                <Suspense fallback={<p className="page-wait">Loading the map …</p>}>
                  <MapPane sae={sae ?? ''} />
                </Suspense>
              }
            />
          ) : (
            <FeatureTable />
          )}
        </div>
        <DrawerPane />
      </div>
      {dialog === 'columns' ? <ColumnChooser onClose={() => setDialog(null)} /> : null}
      {dialog === 'label' ? <BulkLabel onClose={() => setDialog(null)} /> : null}
    </main>
  );
}
