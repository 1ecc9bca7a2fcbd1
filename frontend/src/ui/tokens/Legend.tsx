/** What the colours of tokens mean, in numbers. */

import type { CSSProperties } from 'react';

import { number } from '../../core/numbers';
import { legendOf, shadeOf } from './shades';
import styles from './tokens.module.css';

export function Legend({ reach, isSigned }: { reach: number; isSigned: boolean }) {
  if (reach <= 0) return null;
  return (
    <span
      className={styles.legend}
      role="img"
      aria-label={`Colour from ${isSigned ? number(-reach) : '0'} to ${number(reach)}`}
    >
      {legendOf(reach, isSigned).map((value) => {
        const shade = shadeOf(value, reach);
        return (
          <span
            key={value}
            className={shade.sign === 'none' ? styles.step : `${styles.step} ${styles[shade.sign]}`}
            style={{ '--s': shade.strength } as CSSProperties}
          >
            {number(value)}
          </span>
        );
      })}
    </span>
  );
}
