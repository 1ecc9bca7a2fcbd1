/** A histogram whose two bounds are dragged, or moved by arrow keys, or typed; missing values have their own bar. */
import { useRef, type KeyboardEvent, type PointerEvent } from 'react';
import { positionOf, valueOf, type Bins } from '../../core/bins';
import { roundedBound, shortNumber } from '../../core/format';
import type { RangeFilter } from '../../core/state';
import { count } from '../../core/numbers';
import { BoundInput } from './BoundInput';
import { putRange, useCounts, useFilter } from './columnState';
import styles from './filters.module.css';
import { MissingBar } from './MissingBar';

type Side = 'low' | 'high';

const HEIGHT = 44;
const UNITS = 1000;

/** Heights of bars: the square root keeps small bins in sight, and says so in the axis. */
function heightOf(n: number, most: number): number {
  return n === 0 || most === 0 ? 0 : Math.max(1, Math.sqrt(n / most) * HEIGHT);
}

function Bars({ counts, most, className }: { counts: Uint32Array; most: number; className: string }) {
  const width = UNITS / (counts.length - 1);
  let path = '';
  for (let bin = 0; bin < counts.length - 1; bin++) {
    const height = heightOf(counts[bin], most);
    if (height) path += `M${bin * width} ${HEIGHT}v${-height}h${width * 0.92}v${height}z`;
  }
  return <path className={className} d={path} />;
}

/** The bound at a place of the axis; the very ends are open. */
function boundAt(bins: Bins, side: Side, position: number): number | null {
  if (side === 'low' && position <= 0) return null;
  if (side === 'high' && position >= 1) return null;
  const here = Math.min(1, Math.max(0, position));
  const step = Math.abs(valueOf(bins, Math.min(1, here + 0.004)) - valueOf(bins, Math.max(0, here - 0.004)));
  return roundedBound(valueOf(bins, here), step / 4);
}

const STEPS: Record<string, number> = {
  ArrowLeft: -0.01,
  ArrowDown: -0.01,
  ArrowRight: 0.01,
  ArrowUp: 0.01,
  PageUp: 0.1,
  PageDown: -0.1,
};

interface HandleProps {
  name: string;
  side: Side;
  bins: Bins;
  filter: RangeFilter | null;
  onMove: (side: Side, position: number) => void;
}

function placeOf(bins: Bins, filter: RangeFilter | null, side: Side): number {
  const bound = filter?.[side] ?? null;
  if (bound === null) return side === 'low' ? 0 : 1;
  return Math.min(1, Math.max(0, positionOf(bins, bound)));
}

function Handle({ name, side, bins, filter, onMove }: HandleProps) {
  const place = placeOf(bins, filter, side);
  const bound = filter?.[side] ?? null;
  const end = side === 'low' ? bins.low : bins.high;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Home') onMove(side, 0);
    else if (event.key === 'End') onMove(side, 1);
    else if (event.key === 'Delete' || event.key === 'Backspace') onMove(side, side === 'low' ? 0 : 1);
    else if (STEPS[event.key]) onMove(side, place + STEPS[event.key] * (event.shiftKey ? 5 : 1));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      className={`${styles.handle} ${styles[side]}`}
      style={{ left: `${place * 100}%` }}
      role="slider"
      tabIndex={0}
      aria-label={`${side === 'low' ? 'Smallest' : 'Largest'} ${name}`}
      aria-valuemin={bins.hasZero ? 0 : bins.low}
      aria-valuemax={bins.high}
      aria-valuenow={bound ?? (side === 'low' && bins.hasZero ? 0 : end)}
      aria-valuetext={bound === null ? 'open' : shortNumber(bound)}
      onKeyDown={onKeyDown}
    />
  );
}

/** Dragging: the handle that is nearer moves, and from a place between them a new range is drawn. */
function useDrag(bins: Bins, filter: RangeFilter | null, onMove: (side: Side, position: number) => void) {
  const box = useRef<HTMLDivElement>(null);
  const side = useRef<Side | null>(null);
  const placeAt = (event: PointerEvent) => {
    const frame = box.current!.getBoundingClientRect();
    return (event.clientX - frame.left) / frame.width;
  };
  return {
    ref: box,
    onPointerDown: (event: PointerEvent<HTMLDivElement>) => {
      if (event.button) return;
      const place = placeAt(event);
      const [low, high] = [placeOf(bins, filter, 'low'), placeOf(bins, filter, 'high')];
      side.current = Math.abs(place - low) < Math.abs(place - high) || place < low ? 'low' : 'high';
      event.currentTarget.setPointerCapture(event.pointerId);
      onMove(side.current, place);
    },
    onPointerMove: (event: PointerEvent<HTMLDivElement>) => {
      if (side.current) onMove(side.current, placeAt(event));
    },
    onPointerUp: () => {
      side.current = null;
    },
    onPointerCancel: () => {
      side.current = null;
    },
  };
}

export function RangeHistogram({ name, bins, digits }: { name: string; bins: Bins; digits: number }) {
  const filter = useFilter('range', name);
  const counts = useCounts(bins, `range:${name}`);
  const move = (side: Side, position: number) => {
    const other = placeOf(bins, filter, side === 'low' ? 'high' : 'low');
    const place = side === 'low' ? Math.min(position, other) : Math.max(position, other);
    // Whoever draws a bound means values: missing ones are let through only when asked for.
    putRange(name, filter, { [side]: boundAt(bins, side, place), ...(filter ? {} : { missing: 'drop' }) });
  };
  const drag = useDrag(bins, filter, move);
  if (!counts) return null;
  const most = counts.all.subarray(0, bins.n).reduce((a, b) => Math.max(a, b), 0);
  const n_missing = counts.all[bins.n];
  const isEmpty = Number.isNaN(bins.low);
  const [low, high] = [placeOf(bins, filter, 'low'), placeOf(bins, filter, 'high')];
  return (
    <>
      <div className={styles.plot}>
        {isEmpty ? (
          <p className={styles.empty}>No feature has a value</p>
        ) : (
          <div className={styles.axis} {...drag}>
            <svg
              viewBox={`0 0 ${UNITS} ${HEIGHT}`}
              preserveAspectRatio="none"
              role="img"
              aria-label={`Histogram of ${name}`}
            >
              <Bars counts={counts.all} most={most} className={styles.all} />
              <Bars counts={counts.passing} most={most} className={styles.passing} />
            </svg>
            <div className={styles.outside} style={{ left: 0, width: `${low * 100}%` }} />
            <div className={styles.outside} style={{ left: `${high * 100}%`, right: 0 }} />
            <Handle name={name} side="low" bins={bins} filter={filter} onMove={move} />
            <Handle name={name} side="high" bins={bins} filter={filter} onMove={move} />
          </div>
        )}
        <MissingBar
          name={name}
          filter={filter}
          n={n_missing}
          passing={counts.passing[bins.n]}
          height={heightOf(n_missing, Math.max(most, n_missing))}
          isBeside={isEmpty}
        />
      </div>
      {isEmpty ? null : (
        <div className={styles.ends}>
          <BoundInput name={name} side="low" filter={filter} open={bins.hasZero ? 0 : bins.low} digits={digits} />
          <span
            className="muted"
            title={`${count(bins.codes.length - n_missing)} features have a value; bars are drawn by the square root of their count`}
          >
            {bins.scale === 'log' ? 'log' : ''}
          </span>
          <BoundInput name={name} side="high" filter={filter} open={bins.high} digits={digits} />
        </div>
      )}
    </>
  );
}
