/** What the server says at a path: being fetched, here, or refused. */
import { useEffect, useState } from 'react';
import { getJson, isAborted, type Params } from '../core/api';

export interface Fetched<T> {
  data: T | null;
  error: Error | null;
  isLoading: boolean;
}

/** Fetch a path whenever it, the parameters or `revision` change; null fetches nothing. */
export function useJson<T>(path: string | null, params: Params = {}, revision = 0): Fetched<T> {
  const [answer, setAnswer] = useState<Fetched<T> & { key: string | null }>({
    data: null,
    error: null,
    isLoading: path !== null,
    key: null,
  });
  const key = path === null ? null : JSON.stringify([path, params, revision]);
  useEffect(() => {
    if (key === null || path === null) return;
    const giveUp = new AbortController();
    getJson<T>(path, params, giveUp.signal).then(
      (data) => giveUp.signal.aborted || setAnswer({ data, error: null, isLoading: false, key }),
      (error: unknown) => {
        if (!giveUp.signal.aborted && !isAborted(error))
          setAnswer({ data: null, error: error as Error, isLoading: false, key });
      },
    );
    return () => giveUp.abort();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- key holds path, params and revision
  }, [key]);
  if (answer.key === key) return answer;
  return { data: null, error: null, isLoading: key !== null };
}
