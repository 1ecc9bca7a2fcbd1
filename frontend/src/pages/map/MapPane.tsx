/** The map of one SAE's features, for a page of its own and beside the table. */
import { useEffect, useId, useRef, useState } from 'react';
import { useStore } from 'zustand';
import { report } from '../../core/messages';
import { pathTo } from '../../core/url';
import { count, plural } from '../../core/numbers';
import { Go, go } from '../../ui/Go';
import { useApp } from '../../ui/useApp';
import { MapController, type MapState } from './controller';
import { offerHandle } from './handle';
import { inksOf } from './inks';
import { MapLegend } from './MapLegend';
import { MapTip } from './MapTip';
import { MapToolbar } from './MapToolbar';
import { useMapKeys } from './useMapKeys';
import styles from './map.module.css';

interface MapPaneProps {
  sae: string;
  /** Called when the first picture is complete; a map without it stands beside something else. */
  onReady?: () => void;
}

type Start = { kind: 'here'; controller: MapController } | { kind: 'unsupported' } | null;

/** Make the map while the host is on the page, and give everything back when it leaves. */
function useController(host: React.RefObject<HTMLDivElement | null>, sae: string): Start {
  const [start, setStart] = useState<Start>(null);
  const hasDetail = useApp((state) => state.detail?.name === sae);
  useEffect(() => {
    const element = host.current;
    if (!element || !hasDetail) return;
    let controller: MapController | null = null;
    let isGone = false;
    let withdraw = () => {};
    Promise.all([import('../../gl/scene'), import('../../gl/stage')])
      .then(([{ MapScene }, { hasWebGl2, liveContexts }]) => {
        if (isGone) return;
        if (!hasWebGl2()) return setStart({ kind: 'unsupported' });
        controller = new MapController(
          (told) => new MapScene(element, inksOf(), told),
          (name, feature) => go(pathTo(name, `f/${feature}`), name !== sae),
        );
        withdraw = offerHandle(controller, liveContexts);
        setStart({ kind: 'here', controller });
      })
      .catch(report);
    return () => {
      isGone = true;
      withdraw();
      controller?.dispose();
      setStart(null);
    };
  }, [host, sae, hasDetail]);
  return start;
}

export function MapPane({ sae, onReady }: MapPaneProps) {
  const host = useRef<HTMLDivElement>(null);
  const help = useId();
  const start = useController(host, sae);
  const n = useApp((state) => state.detail?.n_features ?? 0);
  return (
    <section className={styles.pane} aria-label="Map">
      {start?.kind === 'here' ? <MapToolbar controller={start.controller} /> : <div className={styles.toolbar} />}
      <div className={styles.stage}>
        <div
          ref={host}
          className={styles.host}
          // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- an application takes keys by itself
          tabIndex={0}
          role="application"
          aria-label={`Map of ${plural(n, 'feature')} of ${sae}`}
          aria-describedby={help}
        />
        <p id={help} className="visually-hidden">
          Arrow keys step from feature to feature, Enter opens the page of a feature, space its drawer, plus and minus
          zoom. The table shows the same features as text.
        </p>
        {start?.kind === 'unsupported' ? <Unsupported sae={sae} /> : null}
        {start?.kind === 'here' ? <Around sae={sae} controller={start.controller} onReady={onReady} /> : null}
      </div>
    </section>
  );
}

function Unsupported({ sae }: { sae: string }) {
  return (
    <div className={styles.notice} role="alert">
      <strong>This browser cannot draw the map</strong>
      <p>
        It has no WebGL2, or it is switched off. The <Go to={pathTo(sae, 'explore')}>table</Go> shows the same features,
        with the same filters and selection.
      </p>
    </div>
  );
}

/** What stands over and beside the points. */
function Around({ sae, controller, onReady }: { sae: string; controller: MapController; onReady?: () => void }) {
  const state = useStore(controller.store);
  useMapKeys(controller, !onReady);
  useEffect(() => {
    if (state.status !== 'loading') onReady?.();
  }, [state.status, onReady]);
  return (
    <>
      {state.status === 'loading' ? <p className={styles.wait}>Loading the map …</p> : null}
      {state.status === 'none' ? <NoMap sae={sae} /> : null}
      {state.isLost ? <Lost sae={sae} /> : null}
      {state.status === 'ready' ? <MapLegend controller={controller} /> : null}
      <MapTip tip={state.tip} nLayers={state.layers.length} />
      <Foot state={state} />
    </>
  );
}

function NoMap({ sae }: { sae: string }) {
  return (
    <div className={styles.notice}>
      <strong>There is no map of {sae}</strong>
      <p>
        Draw one with <code>saeatlas analyze umap --sae {sae}</code>, which needs weights, or import a feature map. The{' '}
        <Go to={pathTo(sae, 'explore')}>table</Go> shows all features.
      </p>
    </div>
  );
}

function Lost({ sae }: { sae: string }) {
  return (
    <div className={styles.notice} role="alert">
      <strong>The graphics card took the map away</strong>
      <p>
        It comes back by itself as soon as the browser gets it back. Meanwhile the{' '}
        <Go to={pathTo(sae, 'explore')}>table</Go> shows the same features.
      </p>
    </div>
  );
}

/** How many points there are, and how far the map can be trusted. */
function Foot({ state }: { state: MapState }) {
  const { counts, layers, without, reason, edges } = state;
  if (!layers.length) return null;
  const words = [
    counts.ground
      ? `${plural(counts.shown, 'feature')} of ${count(counts.shown + counts.ground)}`
      : plural(counts.shown, 'feature'),
    counts.unplaced ? `${count(counts.unplaced)} without a place` : '',
    edges ? edgeText(edges) : '',
    without.length ? `no map: ${without.join(', ')}` : '',
    reason ?? '',
  ];
  return (
    <p className={styles.foot} dir="auto">
      {words.filter(Boolean).join(' · ')}
    </p>
  );
}

function edgeText({ shown, of }: { shown: number; of: number }): string {
  return `${plural(shown, 'edge')} of ${count(of)}`;
}
