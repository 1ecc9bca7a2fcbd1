/** What stands beside the pointer: which feature it is on, and what it is coloured and sized by. */
import type { Tip } from './controller';
import styles from './map.module.css';

export function MapTip({ tip, nLayers }: { tip: Tip | null; nLayers: number }) {
  if (!tip) return null;
  return (
    <div className={styles.tip} style={{ left: tip.x, top: tip.y }} aria-hidden="true" data-feature={tip.feature}>
      <div className={styles.tipBox}>
        <p>
          <strong>{tip.feature}</strong>
          {nLayers > 1 ? <span className="muted"> {tip.sae}</span> : null}
        </p>
        <p className={styles.tipName} dir="auto">
          {tip.name ?? <span className="muted">no label</span>}
        </p>
        {tip.values.map(([name, value]) => (
          <p key={name} className={styles.tipValue}>
            <span className="muted">{name}</span> <span dir="auto">{value ?? 'missing'}</span>
          </p>
        ))}
      </div>
    </div>
  );
}
