/** The map page: all features of one SAE, or of several, on the whole screen. */
import { useEffect, useState } from 'react';
import { useReady } from '../../ui/ready';
import { useApp } from '../../ui/useApp';
import { MapPane } from './MapPane';
import styles from './map.module.css';

export default function MapPage() {
  const sae = useApp((state) => state.sae);
  const [isReady, setReady] = useState(false);
  const [onReady] = useState(() => () => setReady(true));
  useReady('map', isReady);
  useEffect(() => {
    if (sae !== null) document.title = `Map of ${sae} · saeatlas`;
  }, [sae]);
  if (sae === null) return null;
  return (
    <main className={styles.page}>
      <h1 className="visually-hidden">Map of {sae}</h1>
      <MapPane sae={sae} onReady={onReady} />
    </main>
  );
}
