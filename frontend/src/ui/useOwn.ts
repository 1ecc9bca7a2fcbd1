/** What one page alone can be asked, kept in its address: a link brings it back, and the next page begins anew. */
import { useCallback, useState } from 'react';

/** A parameter of the address as state. What `read` makes of an absent or broken one is what is not written. */
export function useOwn<T>(name: string, read: (text: string | null) => T, write: (value: T) => string) {
  const [value, setValue] = useState(() => read(new URLSearchParams(location.search).get(name)));
  const put = useCallback(
    (next: T) => {
      setValue(next);
      const query = new URLSearchParams(location.search);
      const text = write(next);
      if (text === write(read(null))) query.delete(name);
      else query.set(name, text);
      const all = query.toString();
      history.replaceState(null, '', location.pathname + (all ? `?${all}` : '') + location.hash);
    },
    [name, read, write],
  );
  return [value, put] as const;
}
