/** In how many rows two features are active together, by the values of both. */

import { ChartFrame } from './ChartFrame';
import { layoutJoint, type JointData } from './joint';
import { count, number } from '../core/numbers';
import styles from './plots.module.css';
import { ticks } from './scale';
import { useWidth } from './useWidth';

/** Pixels of a side: as there is room, and no more than the other numbers of a pair are tall. */
const [LEAST_SIDE, MOST_SIDE] = [160, 360];
const LEFT = 52;
const RIGHT = 16;
const BOTTOM = 40;

export interface JointProps {
  readonly title: string;
  readonly n: string;
  readonly data: JointData;
  readonly xName: string;
  readonly yName: string;
}

export function Joint({ title, n, data, xName, yName }: JointProps) {
  const [box, room] = useWidth(LEFT + MOST_SIDE + RIGHT);
  const side = Math.min(MOST_SIDE, Math.max(LEAST_SIDE, room - LEFT - RIGHT));
  const layout = layoutJoint(data, { left: LEFT, top: 8, width: side, height: side });
  const [width, height] = [LEFT + side + RIGHT, side + 8 + BOTTOM];
  const base = 8 + side;
  return (
    <ChartFrame title={title} n={n}>
      {(svg) => (
        <div ref={box} className={styles.box}>
          <svg
            ref={svg}
            role="img"
            aria-label={`${title}: at most ${count(layout.most)} rows in one cell`}
            viewBox={`0 0 ${width} ${height}`}
            width={width}
            height={height}
          >
            {layout.cells.map((cell) => (
              <rect
                key={`${cell.column} ${cell.line}`}
                data-ink="cell"
                data-shade={(0.12 + 0.88 * cell.shade).toFixed(3)}
                className={styles.cell}
                fillOpacity={0.12 + 0.88 * cell.shade}
                x={cell.x}
                y={cell.y}
                width={Math.max(1, cell.width - 0.5)}
                height={Math.max(1, cell.height - 0.5)}
              >
                <title>{`${count(cell.count)} rows`}</title>
              </rect>
            ))}
            <line data-ink="axis" className={styles.axis} x1={LEFT} x2={LEFT + side} y1={base} y2={base} />
            <line data-ink="axis" className={styles.axis} x1={LEFT} x2={LEFT} y1={8} y2={base} />
            {ticks(layout.x.domain[0], layout.x.domain[1], 4).map((value) => (
              <text
                key={value}
                data-ink="muted"
                className={styles.tick}
                x={layout.x.at(value)}
                y={base + 15}
                textAnchor="middle"
              >
                {number(value)}
              </text>
            ))}
            {ticks(layout.y.domain[0], layout.y.domain[1], 4).map((value) => (
              <text
                key={value}
                data-ink="muted"
                className={styles.tick}
                x={LEFT - 6}
                y={layout.y.at(value) + 4}
                textAnchor="end"
              >
                {number(value)}
              </text>
            ))}
            <text data-ink="text" className={styles.text} x={LEFT + side / 2} y={base + 33} textAnchor="middle">
              {xName}
            </text>
            <text
              data-ink="text"
              className={styles.text}
              transform={`translate(12 ${8 + side / 2}) rotate(-90)`}
              textAnchor="middle"
            >
              {yName}
            </text>
          </svg>
        </div>
      )}
    </ChartFrame>
  );
}
