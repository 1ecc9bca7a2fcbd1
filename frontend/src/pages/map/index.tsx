/** The map page: all features of one SAE, or of several, with filters at the left and one feature at the right. */
import { lazy, Suspense, useEffect, useState } from 'react';
import { count } from '../../core/numbers';
import { Chips } from '../../ui/filters/Chips';
import { FilterRail } from '../../ui/filters/FilterRail';
import { DrawerPane } from '../../ui/drawer/DrawerPane';
import { useReady } from '../../ui/ready';
import { useApp } from '../../ui/useApp';
import { MapPane } from './MapPane';
import styles from './map.module.css';

const BulkLabel = lazy(() => import('../explore/BulkLabel').then((module) => ({ default: module.BulkLabel })));

interface BarProps {
  isRail: boolean;
  onRail: () => void;
  onLabel: () => void;
}

function Bar({ isRail, onRail, onLabel }: BarProps) {
  const isReadOnly = useApp((state) => state.readOnly);
  const n = useApp((state) => state.view?.n ?? null);
  const total = useApp((state) => state.store?.n ?? 0);
  return (
    <div className={`${styles.bar} no-print`}>
      <button type="button" className="quiet" aria-pressed={isRail} onClick={onRail}>
        Filters
      </button>
      <span>
        <b>{n === null ? '…' : count(n)}</b> of {count(total)}
      </span>
      <Chips onLabel={isReadOnly ? null : onLabel} />
    </div>
  );
}

export default function MapPage() {
  const sae = useApp((state) => state.sae);
  const [isReady, setReady] = useState(false);
  const [onReady] = useState(() => () => setReady(true));
  const [isRail, setRail] = useState(false);
  const [isLabelling, setLabelling] = useState(false);
  useReady('map', isReady);
  useEffect(() => {
    if (sae !== null) document.title = `Map of ${sae} · saeatlas`;
  }, [sae]);
  if (sae === null) return null;
  return (
    <main className={styles.page} aria-label="Map of features">
      <h1 className="visually-hidden">Map of {sae}</h1>
      <Bar isRail={isRail} onRail={() => setRail(!isRail)} onLabel={() => setLabelling(true)} />
      <div className={styles.panes}>
        {isRail ? (
          <div className={`${styles.rail} no-print`}>
            <FilterRail />
          </div>
        ) : null}
        <div className={styles.middle}>
          <MapPane sae={sae} onReady={onReady} />
        </div>
        <DrawerPane />
      </div>
      <Suspense fallback={null}>{isLabelling ? <BulkLabel onClose={() => setLabelling(false)} /> : null}</Suspense>
    </main>
  );
}
