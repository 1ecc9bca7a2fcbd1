/** The shared state in a component: it renders again when what `selector` picks changes. */
import { useStore } from 'zustand';
import { app, type AppState } from '../core/state';

export function useApp<T>(selector: (state: AppState) => T): T {
  return useStore(app, selector);
}
