/** Two panes side by side with a border that is dragged, or moved by arrow keys. */
import { useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from 'react';
import styles from './split.module.css';

interface SplitProps {
  name: string;
  first: ReactNode;
  second: ReactNode;
  /** Share of the first pane before anyone moved the border. */
  initial?: number;
  /** Where this browser keeps it. */
  memory: string;
}

const LEAST = 0.15;

function remembered(key: string, initial: number): number {
  try {
    const share = Number(localStorage.getItem(key));
    return share >= LEAST && share <= 1 - LEAST ? share : initial;
  } catch {
    return initial;
  }
}

export function Split({ name, first, second, initial = 0.55, memory }: SplitProps) {
  const key = `saeatlas.split.${memory}`;
  const box = useRef<HTMLDivElement>(null);
  const [share, setShare] = useState(() => remembered(key, initial));
  const move = (next: number) => {
    const bounded = Math.min(1 - LEAST, Math.max(LEAST, next));
    setShare(bounded);
    try {
      localStorage.setItem(key, bounded.toFixed(3));
    } catch {
      // A browser that keeps nothing begins with the usual share.
    }
  };
  const onPointerMove = (event: PointerEvent) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const frame = box.current!.getBoundingClientRect();
    move((event.clientX - frame.left) / frame.width);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    event.preventDefault();
    event.stopPropagation();
    move(share + (event.key === 'ArrowLeft' ? -0.02 : 0.02));
  };
  return (
    <div ref={box} className={styles.split} style={{ gridTemplateColumns: `${share}fr 7px ${1 - share}fr` }}>
      <div className={styles.pane}>{first}</div>
      <div
        className={styles.border}
        role="slider"
        aria-orientation="horizontal"
        aria-label={name}
        aria-valuemin={LEAST * 100}
        aria-valuemax={100 - LEAST * 100}
        aria-valuenow={Math.round(share * 100)}
        tabIndex={0}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={onPointerMove}
        onKeyDown={onKeyDown}
      />
      <div className={styles.pane}>{second}</div>
    </div>
  );
}
