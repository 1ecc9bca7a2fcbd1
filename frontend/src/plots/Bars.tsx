/** Bars around zero with their words and numbers beside them. */

import { layoutBars, type BarDatum } from './bars';
import { ChartFrame } from './ChartFrame';
import { signed } from '../core/numbers';
import styles from './plots.module.css';
import { shorten } from './shorten';
import { useWidth } from './useWidth';

const ROW = 20;

export interface BarsProps {
  readonly title: string;
  readonly n: string;
  readonly data: readonly BarDatum[];
  /** The longest bar of the charts that this one is compared with. */
  readonly reach?: number;
  readonly isTitleHidden?: boolean;
}

export function Bars({ title, n, data, reach, isTitleHidden }: BarsProps) {
  const [box, width] = useWidth(360);
  const labels = Math.min(150, Math.round(width * 0.36));
  const layout = layoutBars(data, { width, labels: labels + 6, values: 62, row: ROW }, reach);
  return (
    <ChartFrame title={title} n={n} isTitleHidden={isTitleHidden}>
      {(svg) => (
        <div ref={box} className={styles.box}>
          <svg
            ref={svg}
            role="img"
            aria-label={`${title}: ${data.map((datum) => `${datum.label} ${signed(datum.value)}`).join(', ')}`}
            viewBox={`0 0 ${width} ${layout.height}`}
            width={width}
            height={layout.height}
          >
            {layout.bars.map((bar) => (
              <g key={bar.index}>
                <title>{`${bar.label}: ${signed(bar.value, 6)}`}</title>
                <text data-ink="text" className={styles.text} x={labels} y={bar.y + 12} textAnchor="end">
                  {shorten(bar.label, Math.floor(labels / 7))}
                </text>
                <rect
                  data-ink={bar.sign === 'negative' ? 'negative' : 'positive'}
                  className={bar.sign === 'negative' ? styles.negative : styles.positive}
                  x={bar.x}
                  y={bar.y}
                  width={Math.max(bar.width, 1)}
                  height={bar.height}
                />
                <text data-ink="muted" className={styles.tick} x={width - 2} y={bar.y + 12} textAnchor="end">
                  {signed(bar.value)}
                </text>
              </g>
            ))}
            <line data-ink="axis" className={styles.axis} x1={layout.zero} x2={layout.zero} y1={0} y2={layout.height} />
          </svg>
        </div>
      )}
    </ChartFrame>
  );
}
