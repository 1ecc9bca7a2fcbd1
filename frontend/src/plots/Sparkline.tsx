/** The shape of some counts, beside what they are of. */

import styles from './plots.module.css';
import { layoutSparkline } from './sparkline';

export function Sparkline(props: { counts: readonly number[]; label: string; width?: number; height?: number }) {
  const { counts, label, width = 96, height = 20 } = props;
  return (
    <svg
      className={styles.spark}
      role="img"
      aria-label={label}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
    >
      {layoutSparkline(counts, width, height).map((bar) => (
        <rect key={bar.x} className={styles.bar} x={bar.x} y={bar.y} width={bar.width} height={bar.height} />
      ))}
    </svg>
  );
}
