/** A bound that is typed. */
import { useState } from 'react';
import { shortNumber, typedNumber } from '../../core/format';
import type { RangeFilter } from '../../core/state';
import { putRange } from './columnState';
import styles from './filters.module.css';

interface BoundInputProps {
  name: string;
  side: 'low' | 'high';
  filter: RangeFilter | null;
  /** What stands there while the bound is open. */
  open: number;
  /** Significant digits that tell the values apart. */
  digits: number;
}

export function BoundInput({ name, side, filter, open, digits }: BoundInputProps) {
  const bound = filter?.[side] ?? null;
  // What was typed over which bound: another control may move it meanwhile, and then that counts.
  const [typed, setTyped] = useState<{ text: string; over: number | null } | null>(null);
  const [isWrong, setWrong] = useState(false);
  const text = typed?.over === bound ? typed.text : null;
  const commit = () => {
    if (text === null) return;
    const value = typedNumber(text);
    const other = filter?.[side === 'low' ? 'high' : 'low'] ?? null;
    const isInverted = value !== null && other !== null && (side === 'low' ? value > other : value < other);
    if ((value !== null && !Number.isFinite(value)) || isInverted) return setWrong(true);
    setTyped(null);
    if (value !== bound) putRange(name, filter, { [side]: value, ...(filter ? {} : { missing: 'drop' }) });
  };
  return (
    <input
      type="text"
      inputMode="decimal"
      className={styles.bound}
      aria-label={`${side === 'low' ? 'Smallest' : 'Largest'} ${name}, as a number`}
      aria-invalid={(isWrong && text !== null) || undefined}
      placeholder={shortNumber(open, digits)}
      value={text ?? (bound === null ? '' : String(bound))}
      onChange={(event) => {
        setTyped({ text: event.target.value, over: bound });
        setWrong(false);
      }}
      onBlur={commit}
      onKeyDown={(event) => event.key === 'Enter' && commit()}
    />
  );
}
