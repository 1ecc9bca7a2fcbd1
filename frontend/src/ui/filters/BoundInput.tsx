/** A bound that is typed. */
import { useEffect, useState } from 'react';
import { shortNumber } from '../../core/format';
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
  const [text, setText] = useState('');
  const [isWrong, setWrong] = useState(false);
  useEffect(() => {
    setText(bound === null ? '' : String(bound));
    setWrong(false);
  }, [bound]);
  const commit = () => {
    const value = text.trim() === '' ? null : Number(text.replace('−', '-').replace(',', '.'));
    if (value !== null && !Number.isFinite(value)) setWrong(true);
    else if (value !== bound) putRange(name, filter, { [side]: value, ...(filter ? {} : { missing: 'drop' }) });
  };
  return (
    <input
      type="text"
      inputMode="decimal"
      className={styles.bound}
      aria-label={`${side === 'low' ? 'Smallest' : 'Largest'} ${name}, as a number`}
      aria-invalid={isWrong || undefined}
      placeholder={shortNumber(open, digits)}
      value={text}
      onChange={(event) => setText(event.target.value)}
      onBlur={commit}
      onKeyDown={(event) => event.key === 'Enter' && commit()}
    />
  );
}
