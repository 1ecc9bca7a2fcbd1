/** Says on the document which page shows its data, for whoever waits for it. */
import { useEffect } from 'react';

let isFirst = true;

/** After a change of the page, what had the focus may be gone: a screen reader then goes on in the new content. */
function keepFocus(): void {
  if (!isFirst && document.activeElement === document.body)
    document.getElementById('content')?.focus({ preventScroll: true });
  isFirst = false;
}

export function useReady(page: string, isReady = true): void {
  useEffect(() => {
    if (isReady) {
      document.documentElement.dataset.ready = page;
      keepFocus();
    }
    return () => {
      delete document.documentElement.dataset.ready;
    };
  }, [page, isReady]);
}
