/** Says on the document which page shows its data, for whoever waits for it. */
import { useEffect } from 'react';

export function useReady(page: string, isReady = true): void {
  useEffect(() => {
    if (isReady) document.documentElement.dataset.ready = page;
    return () => {
      delete document.documentElement.dataset.ready;
    };
  }, [page, isReady]);
}
