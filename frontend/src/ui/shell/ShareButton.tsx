/** Copies the address of what is on show. */
import { useState } from 'react';
import { linkHere } from '../../core/history';
import { tell } from '../../core/messages';
import { app } from '../../core/state';
import { MOST_IDS } from '../../core/url';
import styles from './shell.module.css';

/** Whether a list is too long for the address and the server could not take it. */
function isIncomplete(): boolean {
  const { selection, filters } = app.getState();
  const lists = [...(selection ? [selection] : []), ...filters.filter((filter) => filter.kind === 'set')];
  return lists.some(({ ids, hash }) => ids.length > MOST_IDS && !hash);
}

export function ShareButton() {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    const url = new URL(linkHere(), location.href);
    try {
      await navigator.clipboard.writeText(url.href);
      setCopied(true);
      setTimeout(() => setCopied(false), 2000);
    } catch {
      tell('info', 'The browser does not let pages copy here', `Copy the address yourself: ${url.href}`);
    }
    if (isIncomplete())
      tell(
        'info',
        `The link leaves out a list of more than ${MOST_IDS} features`,
        app.getState().readOnly ? 'The server is read-only and keeps no lists' : 'The server did not take it',
      );
  };
  return (
    <button
      type="button"
      className={`quiet ${styles.share}`}
      onClick={() => void copy()}
      title="Copy a link to exactly this"
    >
      {isCopied ? 'Copied' : 'Share'}
    </button>
  );
}
