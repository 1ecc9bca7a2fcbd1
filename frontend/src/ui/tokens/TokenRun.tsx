/** Tokens in a row, coloured by a feature's values; mouse and arrow keys read each one's text, value and place. */

import {
  Fragment,
  memo,
  useId,
  useMemo,
  useRef,
  useState,
  type CSSProperties,
  type KeyboardEvent,
  type ReactNode,
} from 'react';

import { number } from '../../core/numbers';
import { areWordPieces, baseDirection, directionRuns, namedToken, pieceOf } from './shown';
import { Gap, shownToken, spaceBefore, Token } from './Token';
import styles from './tokens.module.css';

/** One more feature whose values are drawn under the tokens. */
export interface Overlay {
  readonly name: string;
  readonly colour: string;
  readonly values: readonly (number | null)[];
  readonly reach: number;
}

export interface TokenRunProps {
  /** What it is, for those who hear it: "Example 3, value 9.27". */
  readonly label: string;
  readonly tokens: readonly string[];
  /** What stands before each token in the text itself, where the text is known: spaces that are part of no token. */
  readonly gaps?: readonly string[];
  /** What tooltips call each token, where that differs from what is shown: as the model was given it. */
  readonly names?: readonly string[];
  readonly values: readonly (number | null)[];
  /** The value of the deepest colour: the largest one of the list that this run belongs to. */
  readonly reach: number;
  readonly firstPosition: number;
  /** Whether the model could see each token; null where that is not known. */
  readonly visible?: readonly (boolean | null)[];
  /** Index of the token that the run is about. */
  readonly active?: number;
  /** Positions at which a window of the model begins. */
  readonly windowStarts?: ReadonlySet<number>;
  readonly rows?: readonly number[];
  readonly overlays?: readonly Overlay[];
  /** 'document' breaks lines where the text does; 'line' only shows that it does. */
  readonly layout?: 'line' | 'document';
  /** Called with the value under the pointer, so that a histogram can mark it. */
  readonly onPoint?: (value: number | null) => void;
}

interface Pointed {
  readonly index: number;
  readonly left: number;
  readonly top: number;
}

const NO_OVERLAYS: readonly Overlay[] = [];

/** A whole document keeps room for lines under its tokens, so that the first ones that are drawn move no text. */
const ROOM: Record<NonNullable<TokenRunProps['layout']>, number> = { line: 0, document: 2 };

export const TokenRun = memo(function TokenRun(props: TokenRunProps) {
  const { label, tokens, values, layout = 'line', overlays = NO_OVERLAYS, onPoint } = props;
  const layers = Math.max(overlays.length, ROOM[layout]);
  const names = [layout === 'document' ? styles.document : styles.run, layers ? styles.layered : ''];
  const box = useRef<HTMLDivElement>(null);
  const tip = useId();
  const [pointed, setPointed] = useState<Pointed | null>(null);
  const point = (index: number | null): void => {
    const place = index === null ? null : placeOf(box.current, index);
    setPointed(index === null || !place ? null : { index, ...place });
    onPoint?.(index === null ? null : values[index]);
  };
  const press = (event: KeyboardEvent<HTMLDivElement>): void => {
    const next = stepped(event, pointed?.index ?? null, props);
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    point(next);
  };
  const body = useMemo(() => runsOf(props), [props]);
  return (
    <div className={styles.place}>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- the same: keys and mouse read its tokens */}
      <div
        ref={box}
        role="group"
        aria-label={label}
        aria-describedby={pointed ? tip : undefined}
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- arrow keys read its tokens
        tabIndex={0}
        dir={baseDirection(tokens)}
        className={names.join(' ').trim()}
        style={{ '--layers': layers } as CSSProperties}
        onKeyDown={press}
        onBlur={() => pointed && point(null)}
        onPointerOver={(event) => {
          const index = indexOf(event.target);
          if (index !== null && index !== pointed?.index) point(index);
        }}
        onPointerLeave={() => point(null)}
      >
        {body}
      </div>
      {pointed ? <Tip id={tip} pointed={pointed} {...props} /> : null}
    </div>
  );
});

function placeOf(box: HTMLDivElement | null, index: number): { left: number; top: number } | null {
  const token = box?.querySelector<HTMLElement>(`[data-i="${index}"]`);
  if (!token) return null;
  const rect = token.getClientRects()[0];
  if (!rect) return null;
  return { left: Math.max(4, Math.min(rect.left, window.innerWidth - 268)), top: rect.bottom + 4 };
}

function indexOf(target: EventTarget): number | null {
  const token = target instanceof Element ? target.closest('[data-i]') : null;
  return token ? Number(token.getAttribute('data-i')) : null;
}

/** Which token a key leads to; null for none, undefined for keys that are not the run's. */
function stepped(event: KeyboardEvent, now: number | null, props: TokenRunProps): number | null | undefined {
  const last = props.tokens.length - 1;
  if (last < 0 || event.altKey || event.ctrlKey || event.metaKey) return undefined;
  const start = now ?? props.active ?? 0;
  const forward = baseDirection(props.tokens) === 'rtl' ? 'ArrowLeft' : 'ArrowRight';
  const backward = forward === 'ArrowLeft' ? 'ArrowRight' : 'ArrowLeft';
  if (event.key === forward) return now === null ? start : Math.min(last, start + 1);
  if (event.key === backward) return now === null ? start : Math.max(0, start - 1);
  if (event.key === 'Home') return 0;
  if (event.key === 'End') return last;
  return event.key === 'Escape' && now !== null ? null : undefined;
}

function runsOf(props: TokenRunProps): ReactNode {
  const { tokens } = props;
  const isSpaced = !props.gaps && areWordPieces(tokens);
  const base = baseDirection(tokens);
  return directionRuns(tokens).map((run) => {
    const isOwn = run.direction === base;
    const inner = [];
    for (let index = run.start; index < run.stop; index += 1) {
      const isFirst = !isOwn && index === run.start;
      inner.push(<Token key={index} isSpaced={isSpaced} isLed={isFirst} {...shownToken(props, index)} />);
    }
    if (isOwn) return <Fragment key={run.start}>{inner}</Fragment>;
    // What parts a phrase from the text before it stands in the text's direction, not at the phrase's other end.
    return (
      <Fragment key={run.start}>
        <Gap text={props.gaps?.[run.start]} layout={props.layout} />
        {isSpaced && run.start > 0 && !pieceOf(tokens[run.start]).isContinued ? ' ' : spaceBefore(tokens[run.start])}
        <span dir={run.direction}>{inner}</span>
      </Fragment>
    );
  });
}

function Tip({ id, pointed, ...props }: TokenRunProps & { id: string; pointed: Pointed }) {
  const { tokens, names = tokens, values, visible, rows, firstPosition, overlays = NO_OVERLAYS } = props;
  const { index, left, top } = pointed;
  const value = values[index];
  return (
    <div id={id} role="tooltip" aria-live="polite" className={styles.tip} style={{ left, top }}>
      <span dir="auto" className={styles.tipToken}>
        {namedToken(names[index])}
      </span>
      <dl>
        <dt>value</dt>
        <dd>{value === null ? 'not listed' : number(value, 5)}</dd>
        {overlays.map((overlay) => (
          <Fragment key={overlay.name}>
            <dt>{overlay.name}</dt>
            <dd>{overlay.values[index] === null ? 'not listed' : number(overlay.values[index], 5)}</dd>
          </Fragment>
        ))}
        <dt>position</dt>
        <dd>{firstPosition + index}</dd>
        {rows ? (
          <>
            <dt>row</dt>
            <dd>{rows[index]}</dd>
          </>
        ) : null}
      </dl>
      {visible?.[index] === false ? <p>The model could not see this token here</p> : null}
    </div>
  );
}
