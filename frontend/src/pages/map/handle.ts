/** What tests may ask the map on show. It only reads. */
import { app } from '../../core/state';
import type { MapController } from './controller';

export interface MapHandle {
  pick(x: number, y: number): { sae: string; feature: number } | null;
  /** Pixels from the left and the top of the map, and depth; null for what is not in view. */
  project(sae: string, feature: number): readonly [number, number, number] | null;
  counts(withPixels?: boolean): ReturnType<MapController['scene']['counts']>;
  /** Whether nothing moves and nothing is being loaded. */
  isAtRest(): boolean;
  frameTime(): number;
  canPick(): boolean;
  liveContexts(): number;
}

export interface Handles {
  state: () => unknown;
  map: MapHandle | null;
  liveContexts?: () => number;
}

declare global {
  interface Window {
    __app?: Partial<Handles>;
  }
}

/** Offer the handle until the answer is called. */
export function offerHandle(controller: MapController, liveContexts: () => number): () => void {
  const { scene, store } = controller;
  const handle: MapHandle = {
    pick(x, y) {
      const spot = scene.pick(x, y);
      return spot && { sae: store.getState().layers[spot.layer].sae, feature: spot.feature };
    },
    project(sae, feature) {
      const spot = controller.spotOf(sae, feature);
      return spot && scene.project(spot);
    },
    counts: (withPixels = false) => scene.counts(withPixels),
    isAtRest: () => !scene.view.isMoving && store.getState().status !== 'loading',
    frameTime: () => scene.view.frameTime,
    canPick: () => scene.canPick,
    liveContexts,
  };
  const handles = (window.__app ??= {});
  handles.state ??= () => app.getState();
  handles.liveContexts = liveContexts;
  handles.map = handle;
  return () => {
    if (handles.map === handle) handles.map = null;
  };
}
