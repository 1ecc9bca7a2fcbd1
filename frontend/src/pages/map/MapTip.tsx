/** What stands beside the pointer: which feature it is on, and what it is coloured and sized by. */
import { useWidth } from '../../plots/useWidth';
import type { Tip } from './controller';
import styles from './map.module.css';

/** Pixels of the widest and of most tips: nearer to the edge than that they stand on the other side of the pointer. */
const [WIDE, HIGH] = [300, 130];

export function MapTip({ tip, nLayers }: { tip: Tip | null; nLayers: number }) {
  const [room, width] = useWidth(2 * WIDE);
  const names = [styles.tipBox];
  if (tip && tip.x > width - WIDE) names.push(styles.before);
  if (tip && room.current && tip.y > room.current.clientHeight - HIGH) names.push(styles.above);
  return (
    <div ref={room} className={styles.tipRoom} aria-hidden="true">
      {tip ? <Said tip={tip} nLayers={nLayers} box={names.join(' ')} /> : null}
    </div>
  );
}

function Said({ tip, nLayers, box }: { tip: Tip; nLayers: number; box: string }) {
  return (
    <div className={styles.tip} style={{ left: tip.x, top: tip.y }} data-feature={tip.feature}>
      <div className={box}>
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
