/** Dots with their intervals on one axis, each beside its name and its count. */

import { ChartFrame } from './ChartFrame';
import { layoutIntervals, type IntervalDatum } from './intervals';
import styles from './plots.module.css';
import { shorten } from './shorten';
import { useWidth } from './useWidth';

const ROW = 22;
const AXIS = 22;

export interface IntervalLine extends IntervalDatum {
  /** What stands at the end of the line: counts. */
  readonly note: string;
  /** Read on hover. */
  readonly detail: string;
}

export interface IntervalsProps {
  readonly title: string;
  readonly n: string;
  readonly shown?: string;
  readonly data: readonly IntervalLine[];
  readonly reference: number | null;
  readonly format: (value: number) => string;
  readonly isTitleHidden?: boolean;
}

export function Intervals({ title, n, shown, data, reference, format, isTitleHidden }: IntervalsProps) {
  const [box, width] = useWidth(420);
  const labels = Math.min(160, Math.round(width * 0.3));
  const notes = Math.min(110, Math.round(width * 0.26));
  const layout = layoutIntervals(
    data,
    { width, labels: labels + 10, values: notes + 10, row: ROW, axis: AXIS },
    reference,
  );
  return (
    <ChartFrame title={title} n={n} shown={shown} isTitleHidden={isTitleHidden}>
      {(svg) => (
        <div ref={box} className={styles.box}>
          <svg
            ref={svg}
            role="img"
            aria-label={`${title}: ${data.map((line) => line.detail).join('; ')}`}
            viewBox={`0 0 ${width} ${layout.height}`}
            width={width}
            height={layout.height}
          >
            {layout.ticks.map((tick) => (
              <g key={tick.value}>
                <line data-ink="grid" className={styles.grid} x1={tick.at} x2={tick.at} y1={0} y2={layout.axis} />
                <text data-ink="muted" className={styles.tick} x={tick.at} y={layout.axis + 14} textAnchor="middle">
                  {format(tick.value)}
                </text>
              </g>
            ))}
            {layout.reference === null ? null : (
              <line
                data-ink="reference"
                className={styles.reference}
                x1={layout.reference}
                x2={layout.reference}
                y1={0}
                y2={layout.axis}
              />
            )}
            {layout.rows.map((row) => (
              <g key={row.index}>
                <title>{data[row.index].detail}</title>
                <text data-ink="text" className={styles.text} x={labels} y={row.y + 4} textAnchor="end">
                  {shorten(row.label, Math.floor(labels / 6.6))}
                </text>
                {row.from !== null && row.to !== null ? (
                  <line
                    data-ink="interval"
                    className={styles.interval}
                    x1={row.from}
                    x2={row.to}
                    y1={row.y}
                    y2={row.y}
                  />
                ) : null}
                {row.dot === null ? null : (
                  <circle data-ink="dot" className={styles.dot} cx={row.dot} cy={row.y} r={4} />
                )}
                <text data-ink="muted" className={styles.tick} x={width - 2} y={row.y + 4} textAnchor="end">
                  {data[row.index].note}
                </text>
              </g>
            ))}
          </svg>
        </div>
      )}
    </ChartFrame>
  );
}
