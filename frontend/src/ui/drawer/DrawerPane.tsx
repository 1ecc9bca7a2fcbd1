/** The drawer beside what a page shows: fetched when a feature is first in focus, and failing on its own. */
import { lazy, Suspense } from 'react';
import { Boundary } from '../Boundary';
import { useApp } from '../useApp';

const Drawer = lazy(() => import('./Drawer'));

export function DrawerPane() {
  const focus = useApp((state) => state.focus);
  if (focus === null) return null;
  return (
    <Boundary of={focus}>
      <Suspense fallback={null}>
        <Drawer />
      </Suspense>
    </Boundary>
  );
}
