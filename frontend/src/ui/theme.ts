/** Light, dark, or what the system says: remembered by this browser, and no part of a shared address. */
import { app, patch, type Theme } from '../core/state';

const KEY = 'saeatlas.theme';
const ORDER: Theme[] = ['system', 'light', 'dark'];

function remembered(): Theme {
  try {
    const theme = localStorage.getItem(KEY);
    return theme === 'light' || theme === 'dark' ? theme : 'system';
  } catch {
    return 'system';
  }
}

/** Follow the state and the system until the answer is called. */
export function followTheme(): () => void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const show = () => {
    const { theme } = app.getState();
    document.documentElement.dataset.theme = theme === 'system' ? (system.matches ? 'dark' : 'light') : theme;
  };
  patch({ theme: remembered() });
  show();
  system.addEventListener('change', show);
  const unsubscribe = app.subscribe((state, before) => {
    if (state.theme !== before.theme) show();
  });
  return () => {
    unsubscribe();
    system.removeEventListener('change', show);
  };
}

export function nextTheme(): void {
  const theme = ORDER[(ORDER.indexOf(app.getState().theme) + 1) % ORDER.length];
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // A browser that keeps nothing forgets it with the page.
  }
  patch({ theme });
}
