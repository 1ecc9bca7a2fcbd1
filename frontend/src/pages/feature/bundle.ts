/** What a feature page shows, in one request; the last ones stay here, so that stepping back and forth is at once. */

import { useCallback, useEffect, useState } from 'react';

import { ApiError, getJson, isAborted, pinned, segment } from '../../core/api';
import { app } from '../../core/state';
import type { FeatureBundle } from '../../core/types';

const MOST_KEPT = 12;
const kept = new Map<string, Promise<FeatureBundle>>();

function keyOf(sae: string, feature: number, version: string): string {
  return `${version} ${feature} ${sae}`;
}

/** The bundle of a feature, asked for once for each version: the commit, and the place in the log of labels. */
export function fetchBundle(sae: string, feature: number, version: string): Promise<FeatureBundle> {
  const key = keyOf(sae, feature, version);
  const known = kept.get(key);
  if (known) return known;
  // Of the commit that the pages show, though the atlas may have a newer one by now.
  const coming = getJson<FeatureBundle>(pinned(`/saes/${segment(sae)}/features/${feature}`, app.getState().commit));
  kept.set(key, coming);
  coming.catch(() => kept.delete(key));
  const oldest = kept.keys().next().value;
  if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest);
  return coming;
}

/** Ask anew next time: something was said about features. */
function forgetBundles(): void {
  kept.clear();
}

export interface BundleState {
  readonly bundle: FeatureBundle | null;
  readonly error: ApiError | Error | null;
  readonly reload: () => void;
}

/** The bundle of a feature; while that of another one comes, there is none. */
export function useBundle(sae: string, feature: number, version: string): BundleState {
  const [state, setState] = useState<{ bundle: FeatureBundle | null; error: Error | null }>({
    bundle: null,
    error: null,
  });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let isOver = false;
    setState((now) => (now.error ? { ...now, error: null } : now));
    fetchBundle(sae, feature, version).then(
      (bundle) => {
        if (!isOver) setState({ bundle, error: null });
      },
      (error: Error) => {
        if (!isOver && !isAborted(error)) setState({ bundle: null, error });
      },
    );
    return () => {
      isOver = true;
    };
  }, [sae, feature, version, turn]);
  const reload = useCallback(() => {
    forgetBundles();
    setTurn((now) => now + 1);
  }, []);
  const isOwn = state.bundle?.sae === sae && state.bundle.feature === feature;
  return { bundle: isOwn ? state.bundle : null, error: state.error, reload };
}
