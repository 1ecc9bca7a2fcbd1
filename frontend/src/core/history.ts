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
  'projection',
  'layers',
  'colourBy',
  'sizeBy',
  'clusterBy',
  'focus',
  'camera',
] as const satisfies readonly (keyof Shared)[];

/** What moves all the time and is no step to go back to. */
const QUIET: readonly string[] = ['camera'];

export function sharedOf(state: AppState): Shared {
  return Object.fromEntries(SHARED.map((key) => [key, state[key]])) as unknown as Shared;
}

/** The address of a page with the state as it is now. */
export function linkTo(path: string): string {
  const query = encodeState(sharedOf(app.getState())).toString();
  return query ? `${path}?${query}` : path;
}

/** Follow the state until the answer is called; `apply` is told what an address that was gone back to holds. */
export function followState(apply: (shared: Shared) => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let changed = new Set<string>();
  let last = { keys: '', at: -Infinity };
  let isApplying = false;

  const write = () => {
    timer = undefined;
    const query = encodeState(sharedOf(app.getState()), new URLSearchParams(location.search)).toString();
    const url = location.pathname + (query ? `?${query}` : '') + location.hash;
    const loud = [...changed].filter((key) => !QUIET.includes(key)).sort();
    changed = new Set();
    if (url === location.pathname + location.search + location.hash) return;
    const keys = loud.join();
    const now = performance.now();
    const isSame = keys === last.keys && now - last.at < GESTURE;
    last = { keys, at: now };
    if (loud.length && !isSame) history.pushState(null, '', url);
    else history.replaceState(null, '', url);
  };

  const unsubscribe = app.subscribe((state, before) => {
    if (isApplying) return;
    for (const key of SHARED) if (state[key] !== before[key]) changed.add(key);
    if (changed.size && timer === undefined) timer = setTimeout(write, DELAY);
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
