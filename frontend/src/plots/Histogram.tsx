/** The active values of a feature, with a brush that mouse and keyboard move bin by bin. */

import { useState, type PointerEvent } from 'react';

import { BrushLine, Handles } from './Brush';
import { ChartFrame } from './ChartFrame';
import {
  brushBetween,
  brushRange,
  layoutHistogram,
  type Brush,
  type CountScale,
  type Frame,
  type HistogramData,
  type HistogramLayout,
} from './histogram';
import { count, number, percent } from '../core/numbers';
import styles from './plots.module.css';
import { useWidth } from './useWidth';

const HEIGHT = 168;

export interface HistogramProps {
  readonly title: string;
  readonly linear: HistogramData;
  /** Bins of equal ratio; without them the values have one scale only. */
  readonly log?: HistogramData;
  readonly nActive: number;
  readonly nInactive: number;
  /** Bins of the scale that is shown; null for all. */
  readonly brush?: Brush | null;
  readonly scale?: 'linear' | 'log';
  readonly onScale?: (scale: 'linear' | 'log') => void;
  /** Called when the brush rests: on release of the mouse, and at each key. Without it nothing is brushed. */
  readonly onBrush?: (brush: Brush | null, range: { low: number | null; high: number | null }) => void;
  readonly isTitleHidden?: boolean;
  /** A value to mark: that of the token under the pointer. */
  readonly mark?: number | null;
}

export function Histogram(props: HistogramProps) {
  const { title, nActive, nInactive, log, scale = 'linear', onScale } = props;
  const [counts, setCounts] = useState<CountScale>('linear');
  const rows = nActive + nInactive;
  const n = `${count(nActive)} active of ${count(rows)} rows; ${count(nInactive)} inactive (${percent(rows ? nInactive / rows : null)}) are not drawn`;
  const tools = (
    <>
      {log && onScale ? <Switch label="Values" value={scale} onChange={onScale} /> : null}
      <Switch label="Counts" value={counts} onChange={setCounts} />
    </>
  );
  return (
    <ChartFrame title={title} n={n} tools={tools} isTitleHidden={props.isTitleHidden}>
      {(svg) => <Drawing {...props} counts={counts} svg={svg} />}
    </ChartFrame>
  );
}

function Switch(props: { label: string; value: CountScale; onChange: (value: CountScale) => void }) {
  const { label, value, onChange } = props;
  return (
    <span className={styles.switch} role="group" aria-label={`${label} scale`}>
      <span aria-hidden="true">{label}</span>
      {(['linear', 'log'] as const).map((name) => (
        <button
          key={name}
          type="button"
          aria-pressed={value === name}
          aria-label={`${label} ${name}`}
          onClick={() => onChange(name)}
        >
          {name}
        </button>
      ))}
    </span>
  );
}

type DrawingProps = HistogramProps & { counts: CountScale; svg: React.RefObject<SVGSVGElement | null> };

function Drawing(props: DrawingProps) {
  const { title, linear, log, scale, counts, onBrush, mark, svg } = props;
  const [box, width] = useWidth(640);
  const data = scale === 'log' && log ? log : linear;
  const frame: Frame = { width, height: HEIGHT, left: 48, right: 14, top: 14, bottom: 38 };
  const layout = layoutHistogram(data, frame, counts);
  const { shown, rest, handlers } = useBrush(props, data, layout);
  const canBrush = onBrush !== undefined && data.counts.length > 0;
  return (
    <div ref={box} className={styles.box}>
      <svg
        ref={svg}
        role={canBrush ? 'group' : 'img'}
        aria-label={`${title}: ${summary(data)}`}
        viewBox={`0 0 ${width} ${HEIGHT}`}
        width={width}
        height={HEIGHT}
        className={canBrush ? styles.brushable : undefined}
        {...(canBrush ? handlers : {})}
      >
        <Axes layout={layout} />
        <Bars layout={layout} brush={shown} />
        <Mark layout={layout} value={mark ?? null} />
        {canBrush ? <Handles data={data} layout={layout} brush={shown} onBrush={rest} /> : null}
      </svg>
      {canBrush ? <BrushLine data={data} brush={shown} onClear={() => rest(null)} /> : null}
    </div>
  );
}

/** The brush while it is dragged, and where it rests. */
function useBrush({ brush = null, onBrush }: DrawingProps, data: HistogramData, layout: HistogramLayout) {
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const shown = drag ? brushBetween(layout, drag.from, drag.to) : brush;
  const rest = (next: Brush | null): void => {
    const whole = next && next.first === 0 && next.last === data.counts.length - 1 ? null : next;
    onBrush?.(whole, brushRange(data, whole));
  };
  const at = (event: PointerEvent<SVGSVGElement>): number =>
    event.clientX - event.currentTarget.getBoundingClientRect().left;
  const handlers = {
    onPointerDown: (event: PointerEvent<SVGSVGElement>): void => {
      if (event.button !== 0) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      setDrag({ from: at(event), to: at(event) });
    },
    onPointerMove: (event: PointerEvent<SVGSVGElement>): void => {
      if (drag) setDrag({ from: drag.from, to: at(event) });
    },
    onPointerUp: (): void => {
      if (drag) rest(brushBetween(layout, drag.from, drag.to));
      setDrag(null);
    },
    onPointerCancel: (): void => setDrag(null),
  };
  return { shown, rest, handlers };
}

/** A line at one value: that of the token which is pointed at. */
function Mark({ layout, value }: { layout: HistogramLayout; value: number | null }) {
  const [low, high] = layout.x.domain;
  if (value === null || !layout.bars.length || value < low || value > high) return null;
  const at = layout.x.at(value);
  return <line data-screen-only className={styles.mark} x1={at} x2={at} y1={layout.frame.top} y2={layout.baseline} />;
}

function Axes({ layout }: { layout: HistogramLayout }) {
  const { frame, baseline } = layout;
  const right = frame.width - frame.right;
  return (
    <g aria-hidden="true">
      <text data-ink="muted" className={styles.tick} x={2} y={frame.top - 3}>
        rows
      </text>
      <text data-ink="muted" className={styles.tick} x={(frame.left + right) / 2} y={baseline + 32} textAnchor="middle">
        activation value
      </text>
      {layout.yTicks.map((tick) => (
        <g key={tick.value}>
          <line data-ink="grid" className={styles.grid} x1={frame.left} x2={right} y1={tick.at} y2={tick.at} />
          <text data-ink="muted" className={styles.tick} x={frame.left - 6} y={tick.at + 4} textAnchor="end">
            {count(tick.value)}
          </text>
        </g>
      ))}
      <line data-ink="axis" className={styles.axis} x1={frame.left} x2={right} y1={baseline} y2={baseline} />
      {layout.xTicks.map((tick) => (
        <text
          key={tick.value}
          data-ink="muted"
          className={styles.tick}
          x={tick.at}
          y={baseline + 16}
          textAnchor="middle"
        >
          {number(tick.value)}
        </text>
      ))}
    </g>
  );
}

function Bars({ layout, brush }: { layout: HistogramLayout; brush: Brush | null }) {
  return (
    <g aria-hidden="true">
      {layout.bars.map((bar) => {
        const isIn = !brush || (bar.index >= brush.first && bar.index <= brush.last);
        return (
          <g key={bar.index}>
            <rect
              data-ink={isIn ? 'bar' : 'bar-off'}
              className={isIn ? styles.bar : styles.barOff}
              x={bar.x}
              y={bar.y}
              width={Math.max(0.5, bar.width - 1)}
              height={bar.height}
            />
            <rect
              data-screen-only
              x={bar.x}
              y={layout.frame.top}
              width={bar.width}
              height={layout.baseline - layout.frame.top}
              fill="transparent"
            >
              <title>{`${number(bar.low)} to ${number(bar.high)}: ${count(bar.count)} rows`}</title>
            </rect>
          </g>
        );
      })}
    </g>
  );
}

function summary(data: HistogramData): string {
  if (!data.counts.length) return 'no active values';
  return `${data.counts.length} bins from ${number(data.edges[0])} to ${number(data.edges[data.edges.length - 1])}`;
}
