/** One line of the table. */
import { memo, type MouseEvent } from 'react';
import { cellText } from '../../core/format';
import { isSelected, selectRange, toggle } from '../../core/selection';
import { app, setFocus, setHover } from '../../core/state';
import { useApp } from '../useApp';
import type { ShownColumn } from './HeaderRow';
import styles from './table.module.css';

interface RowProps {
  feature: number;
  index: number;
  top: number;
  columns: readonly ShownColumn[];
  isActive: boolean;
  onPoint: (index: number) => void;
  onOpen: (feature: number) => void;
}

/** The feature that a range begins at: the one that was picked last. */
let anchor: number | null = null;

export function pick(feature: number, isRange: boolean): void {
  if (isRange && anchor !== null) selectRange(anchor, feature);
  else toggle(feature);
  anchor = feature;
}

function Cell({ shown, feature, index }: { shown: ShownColumn; feature: number; index: number }) {
  const { column } = shown;
  const text = column ? cellText(column, feature) : null;
  const isText = column?.type === 'text' || column?.type === 'category';
  return (
    <div
      role="gridcell"
      aria-colindex={index + 3}
      className={isText ? styles.text : styles.number}
      dir={isText ? 'auto' : undefined}
      title={isText && text !== null ? text : undefined}
    >
      {text ?? <span className={styles.missing}>{column ? '–' : '…'}</span>}
    </div>
  );
}

export const Row = memo(function Row({ feature, index, top, columns, isActive, onPoint, onOpen }: RowProps) {
  const isPicked = useApp((state) => isSelected(state.selection, feature));
  const isHovered = useApp((state) => state.hover?.feature === feature && state.hover.sae === state.sae);
  const isFocused = useApp((state) => state.focus === feature);
  const click = (event: MouseEvent) => {
    onPoint(index);
    if (event.shiftKey || event.ctrlKey || event.metaKey) pick(feature, event.shiftKey);
    else setFocus(feature);
  };
  const marks = [
    styles.row,
    isActive && styles.active,
    isHovered && styles.hovered,
    isFocused && styles.focused,
    isPicked && styles.picked,
  ];
  return (
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus -- the grid takes the keys
    <div
      id={`feature-${feature}`}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isPicked}
      className={marks.filter(Boolean).join(' ')}
      style={{ transform: `translateY(${top}px)` }}
      onClick={click}
      onDoubleClick={() => onOpen(feature)}
      onMouseEnter={() => setHover({ sae: app.getState().sae ?? '', feature })}
    >
      <div role="gridcell" aria-colindex={1} className={styles.check}>
        <input
          type="checkbox"
          tabIndex={-1}
          checked={isPicked}
          aria-label={`Select feature ${feature}`}
          onChange={() => undefined}
          onClick={(event) => {
            event.stopPropagation();
            pick(feature, event.shiftKey);
          }}
        />
      </div>
      <div role="rowheader" aria-colindex={2} className={styles.number}>
        {feature}
      </div>
      {columns.map((shown, place) => (
        <Cell key={shown.name} shown={shown} feature={feature} index={place} />
      ))}
    </div>
  );
});
