/** Keeps the address in step with the state: one entry for each gesture, however many changes it makes. */
import { app, type AppState } from './state';
import { decodeState, encodeState, type Shared } from './url';

/** Changes less than this many milliseconds apart, to the same things, are one gesture. */
const GESTURE = 1000;
/** Browsers refuse more than some hundred changes of the address in half a minute. */
const DELAY = 250;

const SHARED = [
  'filters',
  'selection',
  'sort',
  'columns',
  'isMapBeside',
  'projection',
  'layers',
  'arrangement',
  'allEdges',
  'mark',
  'colourBy',
  'sizeBy',
  'clusterBy',
  'focus',
  'camera',
] as const satisfies readonly (keyof Shared)[];

/** What moves all the time and is no step to go back to. */
const QUIET: ReadonlySet<keyof Shared> = new Set(['camera']);

export function sharedOf(state: AppState): Shared {
  return Object.fromEntries(SHARED.map((key) => [key, state[key]])) as unknown as Shared;
}

/** The address of a page with the state as it is now. */
export function linkTo(path: string): string {
  const query = encodeState(sharedOf(app.getState())).toString();
  return query ? `${path}?${query}` : path;
}

/** The address of what is on show, with what in it is the page's own. */
export function linkHere(): string {
  const query = encodeState(sharedOf(app.getState()), new URLSearchParams(location.search)).toString();
  return location.pathname + (query ? `?${query}` : '') + location.hash;
}

/** Follow the state until the answer is called; `apply` is told what an address that was gone back to holds. */
export function followState(apply: (shared: Shared) => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let loud = new Set<keyof Shared>();
  let last = { keys: '', at: -Infinity };
  let isApplying = false;

  const write = () => {
    timer = undefined;
    const url = linkHere();
    const keys = [...loud].sort().join();
    loud = new Set();
    if (url === location.pathname + location.search + location.hash) return;
    const now = performance.now();
    const isSame = keys === last.keys && now - last.at < GESTURE;
    last = { keys, at: now };
    if (keys && !isSame) history.pushState(null, '', url);
    else history.replaceState(null, '', url);
  };

  const unsubscribe = app.subscribe((state, before) => {
    if (isApplying) return;
    const changed = SHARED.filter((key) => state[key] !== before[key]);
    if (!changed.length) return;
    // What an SAE brings along when it is opened is no step of the reader.
    const isOpening = state.store !== before.store || state.sae !== before.sae;
    if (!isOpening) for (const key of changed) if (!QUIET.has(key)) loud.add(key);
    timer ??= setTimeout(write, DELAY);
  });

  const onBack = () => {
    isApplying = true;
    try {
      apply(decodeState(new URLSearchParams(location.search)));
    } finally {
      isApplying = false;
    }
  };
  addEventListener('popstate', onBack);
  return () => {
    unsubscribe();
    clearTimeout(timer);
    removeEventListener('popstate', onBack);
  };
}
