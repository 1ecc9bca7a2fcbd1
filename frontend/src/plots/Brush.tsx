/** The two handles of a histogram's brush, and the line that says what it covers. */

import { useId, type KeyboardEvent } from 'react';

import { brushCount, moveBrush, shiftBrush, type Brush, type HistogramData, type HistogramLayout } from './histogram';
import { count, number } from '../core/numbers';
import styles from './plots.module.css';

interface HandlesProps {
  readonly data: HistogramData;
  readonly layout: HistogramLayout;
  readonly brush: Brush | null;
  readonly onBrush: (brush: Brush | null) => void;
}

export function Handles({ data, layout, brush, onBrush }: HandlesProps) {
  const bins = data.counts.length;
  const now = brush ?? { first: 0, last: bins - 1 };
  const press = (end: 'first' | 'last') => (event: KeyboardEvent) => {
    const next = keyed(event, now, end, bins);
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    onBrush(next);
  };
  return (
    <g data-screen-only>
      {(['first', 'last'] as const).map((end) => {
        const bin = layout.bars[now[end]];
        const x = bin ? (end === 'first' ? bin.x : bin.x + bin.width) : 0;
        const value = end === 'first' ? data.edges[now.first] : data.edges[now.last + 1];
        return (
          <g
            key={end}
            role="slider"
            tabIndex={0}
            className={styles.handle}
            aria-label={end === 'first' ? 'Lowest value of the examples' : 'Highest value of the examples'}
            aria-valuemin={data.edges[0]}
            aria-valuemax={data.edges[bins]}
            aria-valuenow={value}
            aria-valuetext={number(value)}
            onKeyDown={press(end)}
          >
            <line x1={x} x2={x} y1={layout.frame.top} y2={layout.baseline} />
            <rect x={x - 3} y={layout.baseline - 10} width={6} height={14} rx={2} />
          </g>
        );
      })}
    </g>
  );
}

/** What a key does to a brush; undefined for keys that are none of its own. */
function keyed(event: KeyboardEvent, now: Brush, end: 'first' | 'last', bins: number): Brush | null | undefined {
  const steps: Record<string, number> = {
    ArrowLeft: -1,
    ArrowDown: -1,
    ArrowRight: 1,
    ArrowUp: 1,
    PageDown: -5,
    PageUp: 5,
  };
  const by = steps[event.key];
  if (by !== undefined) return event.shiftKey ? shiftBrush(now, by, bins) : moveBrush(now, end, by, bins);
  if (event.key === 'Home') return moveBrush(now, end, -bins, bins);
  if (event.key === 'End') return moveBrush(now, end, bins, bins);
  const isWhole = now.first === 0 && now.last === bins - 1;
  return event.key === 'Escape' && !isWhole ? null : undefined;
}

export function BrushLine({ data, brush, onClear }: { data: HistogramData; brush: Brush | null; onClear: () => void }) {
  const id = useId();
  const edges = data.edges;
  return (
    <p className={styles.brushLine} id={id} role="status">
      {brush ? (
        <>
          Examples from {number(edges[brush.first])} to {number(edges[brush.last + 1])}:{' '}
          {count(brushCount(data, brush))} rows{' '}
          <button type="button" className={styles.save} onClick={onClear}>
            All values
          </button>
        </>
      ) : (
        'Drag over the bars, or move the two handles by arrow keys, to see examples of these values only.'
      )}
    </p>
  );
}
