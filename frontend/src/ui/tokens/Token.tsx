/** One token of a run: drawn again only when what it shows has changed, as a document has thousands. */
import { memo, type CSSProperties } from 'react';

import { gapInLine } from './natural';
import { shadeOf, type Shade } from './shades';
import { isMixed, pieceOf, shownParts } from './shown';
import type { Overlay, TokenRunProps } from './TokenRun';
import styles from './tokens.module.css';

/** What stands between tokens, without the characters that turn the writing around them. */
export function Gap({ text, layout }: { text: string | undefined; layout: TokenRunProps['layout'] }) {
  if (!text) return null;
  const quiet = text.replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '');
  if (layout === 'document') return quiet;
  const line = gapInLine(quiet);
  return (
    <>
      {line.sign ? <span className={styles.sign}>{line.sign}</span> : null}
      {line.text}
    </>
  );
}

/** The spaces that a token begins with; none where it is nothing else. */
export function spaceBefore(token: string): string {
  return /^( +)[^ ]/.exec(token)?.[1] ?? '';
}

/** What one token shows, each part a plain value: one that shows the same as before is not drawn again. */
interface TokenProps {
  readonly index: number;
  readonly text: string;
  readonly gap: string | undefined;
  readonly layout: TokenRunProps['layout'];
  readonly sign: Shade['sign'];
  readonly strength: number;
  /** Backgrounds that draw the lines of other features, from `linesUnder`. */
  readonly lines: string;
  readonly isUnseen: boolean;
  readonly isActive: boolean;
  /** The position at which a window of the model begins here; null where none does. */
  readonly windowAt: number | null;
  /** Whether spaces stand between the tokens that are part of none. */
  readonly isSpaced: boolean;
  /** Whether what stands before it is drawn already. */
  readonly isLed: boolean;
}

export function shownToken(props: TokenRunProps, index: number): Omit<TokenProps, 'isSpaced' | 'isLed'> {
  const shade = shadeOf(props.values[index], props.reach);
  const position = props.firstPosition + index;
  return {
    index,
    text: props.tokens[index],
    gap: props.gaps?.[index],
    layout: props.layout,
    sign: shade.sign,
    strength: shade.strength,
    lines: linesUnder(props.overlays ?? [], index),
    isUnseen: props.visible?.[index] === false,
    isActive: index === props.active,
    windowAt: position > 0 && props.windowStarts?.has(position) ? position : null,
  };
}

function tokenStyle({ sign, strength, lines }: TokenProps): CSSProperties | undefined {
  if (sign === 'none' && !lines) return undefined;
  const style: Record<string, string | number> = {};
  if (sign !== 'none') style['--s'] = Number(strength.toFixed(3));
  if (lines) [style.backgroundImage, style.backgroundPosition, style.backgroundSize] = lines.split('|');
  return style as CSSProperties;
}

export const Token = memo(function Token(props: TokenProps) {
  const { index, text: whole, isLed, isSpaced, sign, windowAt } = props;
  const token = isLed ? whole.slice(spaceBefore(whole).length) : whole;
  const piece = isSpaced ? pieceOf(token) : { text: token, isContinued: true };
  const names = [styles.token];
  if (sign !== 'none') names.push(styles[sign]);
  if (props.isUnseen) names.push(styles.unseen);
  if (props.isActive) names.push(styles.active);
  return (
    <>
      {!isLed && !piece.isContinued && index > 0 ? ' ' : null}
      {isLed ? null : <Gap text={props.gap} layout={props.layout} />}
      {windowAt === null ? null : (
        <span className={styles.window} title={`A window of the model begins here, at position ${windowAt}`} />
      )}
      <span
        data-i={index}
        data-active={props.isActive || undefined}
        className={names.join(' ')}
        dir={isMixed(token) ? 'auto' : undefined}
        style={tokenStyle(props)}
      >
        {shownParts(piece.text).map((part, place) =>
          part.isSign ? (
            <span key={place} className={styles.sign}>
              {part.text}
            </span>
          ) : (
            part.text
          ),
        )}
      </span>
      {props.layout === 'document' && token.includes('\n') ? '\n' : null}
    </>
  );
});

/**
 * Lines under a token: one for each overlay that is active there, each at its own height, so that the lines of one
 * feature stand in one row. They are backgrounds, as shadows would fill the rows of features that are silent. The
 * images, their places and their sizes are parted by '|'.
 */
function linesUnder(overlays: readonly Overlay[], index: number): string {
  const lines = overlays.flatMap((overlay, layer) => {
    const shade = shadeOf(overlay.values[index], overlay.reach);
    if (shade.sign === 'none') return [];
    const strength = Math.round(35 + 65 * shade.strength);
    const colour = `color-mix(in srgb, ${overlay.colour} ${strength}%, transparent)`;
    return [{ image: `linear-gradient(${colour}, ${colour})`, up: 4 * (overlays.length - 1 - layer) }];
  });
  if (!lines.length) return '';
  return [
    [...lines.map(({ image }) => image), 'var(--ground, none)'].join(', '),
    [...lines.map(({ up }) => `0 calc(100% - ${up}px)`), '0 0'].join(', '),
    [...lines.map(() => '100% 3px'), '100% calc(100% - 4px * var(--layers, 0))'].join(', '),
  ].join('|');
}
