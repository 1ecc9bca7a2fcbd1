/** What stands around every page: the top bar, messages, the status line, and the live region. */
import { useEffect, useMemo, useState, type ReactNode } from 'react';
import { useLocation } from 'wouter';
import { handleKey } from '../../core/commands';
import { followState } from '../../core/history';
import { report } from '../../core/messages';
import { app } from '../../core/state';
import { pathTo } from '../../core/url';
import type {} from '../../pages/map/handle';
import { Chips } from '../filters/Chips';
import { Go, go } from '../Go';
import { session } from '../session';
import { followTheme, nextTheme } from '../theme';
import { useApp } from '../useApp';
import { useCommands } from '../useCommands';
import { Help } from './Help';
import { LiveRegion, Messages } from './Messages';
import { SaePicker } from './SaePicker';
import { SearchBox } from './SearchBox';
import { ShareButton } from './ShareButton';
import { StatusLine } from './StatusLine';
import styles from './shell.module.css';

/** Everything that lives as long as the page load does. */
function useLife(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (handleKey(event)) event.preventDefault();
    };
    const ends = [followTheme(), followState((shared) => session.apply(shared).catch(report))];
    addEventListener('keydown', onKey);
    void session.knowHealth();
    // For tests and for whoever opens the console: what the state is, and never a way to change it.
    (window.__app ??= {}).state = app.getState;
    return () => {
      removeEventListener('keydown', onKey);
      for (const end of ends) end();
    };
  }, []);
}

/** Filters and selection on the pages that do not show them themselves. */
function Context() {
  const [path] = useLocation();
  const isOther = /^\/(s\/[^/]+\/(f|pair)|c)\//.test(path);
  const hasAny = useApp((state) => state.filters.length > 0 || state.selection !== null);
  if (!isOther || !hasAny) return null;
  return (
    <div className={`${styles.context} no-print`}>
      <Chips onLabel={null} />
    </div>
  );
}

function PageLinks({ sae }: { sae: string }) {
  const [path] = useLocation();
  const current = (page: string) => (path.endsWith(`/${page}`) ? 'page' : undefined);
  return (
    <nav className={styles.pages} aria-label="Pages">
      {(['explore', 'map'] as const).map((page) => (
        <Go key={page} to={pathTo(sae, page)} className="button quiet" aria-current={current(page)}>
          {page === 'explore' ? 'Table' : 'Map'}
        </Go>
      ))}
    </nav>
  );
}

const THEME_NAMES = { system: 'as the system', light: 'light', dark: 'dark' };

function ThemeButton() {
  const theme = useApp((state) => state.theme);
  return (
    <button
      type="button"
      className="quiet icon"
      onClick={nextTheme}
      title={`Theme: ${THEME_NAMES[theme]}`}
      aria-label={`Theme: ${THEME_NAMES[theme]}`}
    >
      <svg width="15" height="15" viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" strokeWidth="1.5" />
        {theme === 'light' ? null : <path d="M8 1.8a6.2 6.2 0 0 1 0 12.4z" fill="currentColor" />}
        {theme === 'dark' ? <path d="M8 1.8a6.2 6.2 0 0 0 0 12.4z" fill="currentColor" /> : null}
      </svg>
    </button>
  );
}

/** Esc goes up one level: out of the drawer, then out of the selection. */
function goUp(): void {
  const { focus, selection } = app.getState();
  if (focus !== null) app.setState({ focus: null });
  else if (selection) app.setState({ selection: null });
}

function usePageCommands(showHelp: () => void): void {
  const commands = useMemo(() => {
    const open = (page: string) => () => {
      const { sae } = app.getState();
      if (sae !== null) go(pathTo(sae, page));
    };
    return [
      { keys: 'g h', label: 'Go to the start', group: 'Pages', run: () => go('/', true) },
      { keys: 'g t', label: 'Go to the table', group: 'Pages', run: open('explore') },
      { keys: 'g m', label: 'Go to the map', group: 'Pages', run: open('map') },
      { keys: '?', label: 'Show these keys', group: 'Pages', run: showHelp },
      { keys: 'Escape', label: 'Close the drawer, then end the selection', group: 'Pages', run: goUp },
    ];
  }, [showHelp]);
  useCommands(commands);
}

export function Shell({ children }: { children: ReactNode }) {
  const [isHelp, setHelp] = useState(false);
  const sae = useApp((state) => state.sae);
  const showHelp = useMemo(() => () => setHelp(true), []);
  useLife();
  usePageCommands(showHelp);
  return (
    <div className={styles.shell}>
      <a className={styles.skip} href="#content">
        Skip to the content
      </a>
      <header className={`${styles.top} no-print`}>
        <Go to="/" isFresh className={styles.brand} aria-label="saeatlas: start">
          <svg width="20" height="20" viewBox="0 0 16 16" aria-hidden="true">
            <rect width="16" height="16" rx="3" className={styles.tile} />
            <path className={styles.dots} d="M4.5 10.5h0M7 6h0M11.5 4.5h0M10.5 9h0M8 12h0" />
          </svg>
          <span>saeatlas</span>
        </Go>
        <SaePicker />
        {sae === null ? null : <PageLinks sae={sae} />}
        <SearchBox />
        <div className={styles.tools}>
          <ShareButton />
          <ThemeButton />
          <button
            type="button"
            className="quiet icon"
            onClick={showHelp}
            title="Keys and help (?)"
            aria-label="Keys and help"
          >
            ?
          </button>
        </div>
      </header>
      <Context />
      <div id="content" className={styles.content} tabIndex={-1}>
        {children}
      </div>
      <StatusLine />
      <Messages />
      <LiveRegion />
      {isHelp ? <Help onClose={() => setHelp(false)} /> : null}
    </div>
  );
}
