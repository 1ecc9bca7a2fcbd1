/** Keeps the map and the shared state in step: what is loaded, drawn and said, and what gestures on the map mean. */
import { createStore, type StoreApi } from 'zustand/vanilla';
import { cellText } from '../../core/format';
import { FilterEngine } from '../../core/filter';
import { announce, report } from '../../core/messages';
import type { Ground } from '../../core/palette';
import { maskOf, toggle } from '../../core/selection';
import { app, select, setFocus, setHover, type AppState } from '../../core/state';
import type { Tool } from '../../gl/controls';
import { edgesToShow, type Graph } from '../../gl/edges';
import { anchorOf } from '../../gl/labels';
import type { NamedPlace } from '../../gl/names';
import type { MapScene, SceneTold, Spot } from '../../gl/scene';
import { clusteringsOf, colourFor, colouringOf, namesOf, sizingOf, type Colouring, type Sizing } from './colouring';
import { currentGround, inksOf } from './inks';
import { clusteringFor, clusterNames, MapData, type Layer } from './load';
import { lookOf, sizesOf, type Scale } from './paint';

export interface Tip {
  readonly sae: string;
  readonly feature: number;
  readonly x: number;
  readonly y: number;
  readonly name: string | null;
  readonly values: readonly (readonly [name: string, value: string | null])[];
}

export interface MapState {
  readonly status: 'loading' | 'ready' | 'none';
  readonly layers: readonly Layer[];
  /** SAEs that were asked for and have no map. */
  readonly without: readonly string[];
  readonly scale: Scale;
  readonly sizing: Sizing | null;
  readonly colourBy: string | null;
  readonly clusterBy: string | null;
  readonly reason: string | null;
  readonly tip: Tip | null;
  readonly tool: Tool;
  readonly isFlying: boolean;
  readonly isFlat: boolean;
  readonly edges: { readonly shown: number; readonly of: number } | null;
  readonly isLost: boolean;
  readonly counts: { readonly shown: number; readonly ground: number; readonly unplaced: number };
  readonly found: ReadonlySet<number> | null;
}

const INITIAL: MapState = {
  status: 'loading',
  layers: [],
  without: [],
  scale: { kind: 'plain' },
  sizing: null,
  colourBy: null,
  clusterBy: null,
  reason: null,
  tip: null,
  tool: 'move',
  isFlying: false,
  isFlat: true,
  edges: null,
  isLost: false,
  counts: { shown: 0, ground: 0, unplaced: 0 },
  found: null,
};

/** More edges than this hide what they join; the strongest are drawn. */
const MOST_EDGES = 250_000;

interface Group {
  readonly place: NamedPlace;
  readonly members: readonly number[];
}

export type OpenFeature = (sae: string, feature: number) => void;

export class MapController {
  readonly store: StoreApi<MapState> = createStore<MapState>(() => INITIAL);
  readonly #scene: MapScene;
  readonly #data = new MapData();
  readonly #open: OpenFeature;
  readonly #ends: (() => void)[] = [];
  readonly #engines = new WeakMap<Layer, FilterEngine>();
  #colouring: Colouring | null = null;
  #nameOf: ((feature: number) => string | null)[] = [];
  #groups: readonly Group[] = [];
  #cursor: Spot | null = null;
  #isOver = false;
  #isDisposed = false;
  #turn = { layers: 0, colours: 0, names: 0, edges: 0 };
  #isWaiting = false;

  constructor(makeScene: (told: SceneTold) => MapScene, open: OpenFeature) {
    this.#open = open;
    this.#scene = makeScene(this.#told());
    this.#ends.push(app.subscribe((state, before) => this.#follow(state, before)));
    const watch = new MutationObserver(() => this.#changeTheme());
    watch.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    this.#ends.push(() => watch.disconnect());
    void this.#run(this.#loadLayers());
  }

  dispose(): void {
    this.#isDisposed = true;
    for (const end of this.#ends) end();
    this.#scene.dispose();
  }

  get scene(): MapScene {
    return this.#scene;
  }

  get #ground(): Ground {
    return currentGround();
  }

  async #run(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!this.#isDisposed) report(error);
    }
  }

  #told(): SceneTold {
    return {
      hover: (spot, at) => this.#hover(spot, at[0], at[1]),
      click: (spot, withShift) => this.#click(spot, withShift),
      open: (spot) => this.#open(this.#saeOf(spot), spot.feature),
      lasso: (found, tool, withShift) => this.#lasso(found, tool, withShift),
      step: (direction) => this.#step(direction),
      enter: () => this.#enter(),
      rest: (camera) => this.#rest(camera),
      lost: (isLost) => this.store.setState({ isLost }),
    };
  }

  #saeOf({ layer }: Spot): string {
    return this.store.getState().layers[layer].sae;
  }

  /** Where a feature is on the map; null where it is on none of the layers. */
  spotOf(sae: string | null, feature: number | null): Spot | null {
    const layer = this.store.getState().layers.findIndex((each) => each.sae === sae);
    return layer < 0 || feature === null ? null : { layer, feature };
  }

  // What follows from the shared state.

  #follow(state: AppState, before: AppState): void {
    const changed = (...keys: (keyof AppState)[]) => keys.some((key) => state[key] !== before[key]);
    if (changed('sae', 'store', 'layers', 'projection')) void this.#run(this.#loadLayers());
    else if (changed('arrangement')) this.#rearrange(state.camera);
    else if (changed('colourBy', 'sizeBy', 'clusterBy')) void this.#run(this.#loadColours());
    else if (changed('filters') && state.layers.length) void this.#run(this.#loadFiltered());
    else if (changed('view', 'selection')) this.#repaintSoon();
    if (changed('focus', 'selection', 'allEdges')) void this.#run(this.#showEdges());
    if (changed('hover', 'focus')) this.#showRings();
    if (changed('camera') && state.camera && !this.#scene.view.isMoving) this.#scene.setCamera(state.camera);
  }

  async #loadLayers(): Promise<void> {
    const turn = (this.#turn.layers += 1);
    const { sae, layers: others, projection, camera, detail } = app.getState();
    if (sae === null || detail === null) return;
    const main = await this.#data.layer(sae, projection, 0);
    const dimensions = main?.projection.dimensions ?? 0;
    const names = others.filter((name) => name !== sae);
    const rest = await Promise.all(names.map((name) => this.#data.layer(name, projection, dimensions)));
    if (this.#isDisposed || turn !== this.#turn.layers) return;
    const layers = [main, ...rest].filter((layer) => layer !== null);
    const without = [sae, ...names].filter((name) => !layers.some((layer) => layer.sae === name));
    if (!layers.length) return this.store.setState({ status: 'none', layers, without });
    const before = this.store.getState();
    // Whoever chooses another map of the same SAE says that all of it is to be seen; going back brings its camera.
    const keepsCamera = before.status === 'loading' || before.layers[0]?.sae === sae;
    this.#cursor = null;
    this.#groups = [];
    this.store.setState({ layers, without, tip: null, edges: null });
    this.#place(keepsCamera ? camera : null);
    await Promise.all([this.#loadColours(), this.#loadNames()]);
    if (!this.#isDisposed && turn === this.#turn.layers) this.store.setState({ status: 'ready' });
    void this.#run(this.#showEdges());
  }

  #place(camera: AppState['camera']): void {
    const { layers } = this.store.getState();
    const clouds = layers.map(({ sae, places, projection }) => ({
      name: sae,
      places,
      isFlat: projection.dimensions < 3,
    }));
    this.#scene.setClouds(clouds, app.getState().arrangement, camera);
    this.store.setState({ isFlat: this.#scene.isFlat });
  }

  #rearrange(camera: AppState['camera']): void {
    this.#place(camera);
    this.#repaint();
    void this.#run(this.#showEdges());
  }

  async #loadColours(): Promise<void> {
    const turn = (this.#turn.colours += 1);
    const { layers, clusterBy: clusters } = this.store.getState();
    const state = app.getState();
    if (!layers.length) return;
    const by = colourFor(layers[0].detail, layers.length, state.colourBy, state.clusterBy);
    const [colouring, sizing] = await Promise.all([
      colouringOf(this.#data, layers, by, this.#ground),
      sizingOf(layers, state.sizeBy),
      ...this.#filteredColumns(layers),
    ]);
    if (this.#isDisposed || turn !== this.#turn.colours) return;
    this.#colouring = colouring;
    this.store.setState({ scale: colouring.scale, reason: colouring.reason, sizing, colourBy: by });
    this.#repaint();
    if (clusteringFor(layers[0].detail, state.clusterBy) !== clusters) void this.#run(this.#loadNames());
  }

  /** Columns that filters need of SAEs beside the one that is open, whose own are loaded by the session. */
  #filteredColumns(layers: readonly Layer[]): Promise<void>[] {
    const names = app.getState().filters.flatMap((filter) => (filter.kind === 'set' ? [] : [filter.column]));
    return layers
      .slice(1)
      .map(({ store, detail }) =>
        store.load(names.filter((name) => detail.columns.some((each) => each.name === name))),
      );
  }

  async #loadFiltered(): Promise<void> {
    await Promise.all(this.#filteredColumns(this.store.getState().layers));
    this.#repaintSoon();
  }

  #maskOf(layer: Layer): Uint8Array | null {
    const { filters, view, sae } = app.getState();
    if (!filters.length) return null;
    if (layer.sae === sae) return view?.mask ?? null;
    const engine = this.#engines.get(layer) ?? new FilterEngine(layer.store);
    this.#engines.set(layer, engine);
    return engine.apply(filters.filter(({ kind }) => kind !== 'set')).mask;
  }

  #repaintSoon(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    requestAnimationFrame(() => {
      this.#isWaiting = false;
      if (!this.#isDisposed) this.#repaint();
    });
  }

  #repaint(): void {
    const colouring = this.#colouring;
    const { layers, sizing, found } = this.store.getState();
    const { selection, sae } = app.getState();
    if (!colouring || colouring.columns.length !== layers.length) return;
    layers.forEach((layer, index) => {
      const n = layer.detail.n_features;
      const isMain = layer.sae === sae;
      const look = lookOf(n, colouring.scale, {
        ground: this.#ground,
        layer: index,
        column: colouring.columns[index],
        mask: this.#maskOf(layer),
        selected: isMain && selection ? maskOf(selection, n) : null,
        found: isMain ? found : null,
      });
      const values = sizing?.columns[index]?.values ?? null;
      this.#scene.setLook(index, look, sizesOf(n, sizing?.scale ?? null, values));
    });
    this.#scene.setDim(selection || found ? 0.45 : 1);
    this.#showNames();
    const { shown, ground } = this.#scene.counts();
    const total = layers.reduce((sum, { detail }) => sum + detail.n_features, 0);
    this.store.setState({ counts: { shown, ground, unplaced: total - shown - ground } });
  }

  async #loadNames(): Promise<void> {
    const turn = (this.#turn.names += 1);
    const { layers } = this.store.getState();
    const clusterBy = clusteringFor(layers[0].detail, app.getState().clusterBy);
    const clusterings = clusterBy === null ? [] : await clusteringsOf(this.#data, layers, clusterBy);
    const nameOf = await Promise.all(layers.map(namesOf));
    if (this.#isDisposed || turn !== this.#turn.names) return;
    this.#groups = clusterings.flatMap((clustering, layer): Group[] => {
      if (!clustering) return [];
      const members: number[][] = clustering.clusters.map(() => []);
      clustering.column.codes.forEach((code, feature) => code >= 0 && members[code].push(feature));
      const names = clusterNames(clustering.clusters);
      return clustering.clusters.flatMap((cluster, code) => {
        const feature = anchorOf(layers[layer].places, members[code]);
        if (feature < 0 || !names[code]) return [];
        const place = { key: `${layer}/${code}`, text: names[code], layer, feature, priority: cluster.size };
        return [{ place, members: members[code] }];
      });
    });
    this.#nameOf = nameOf;
    this.store.setState({ clusterBy });
    this.#showNames();
  }

  /** Names of the groups of which the filters leave something, by how much they leave. */
  #showNames(): void {
    const { filters } = app.getState();
    const places = this.#groups.flatMap(({ place, members }): NamedPlace[] => {
      if (!filters.length) return [place];
      const { layer } = place;
      const n = members.reduce((sum, feature) => sum + +this.#scene.isShown({ layer, feature }), 0);
      return n ? [{ ...place, priority: n }] : [];
    });
    this.#scene.setNames(places, (layer, feature) => this.#nameOf[layer]?.(feature) ?? null);
  }

  async #showEdges(): Promise<void> {
    const turn = (this.#turn.edges += 1);
    const { layers } = this.store.getState();
    const { focus, selection, allEdges } = app.getState();
    if (!layers.length) return;
    const wants = allEdges || focus !== null || selection !== null;
    const n = wants ? (allEdges ? layers.length : 1) : 0;
    const graphs = await Promise.all(layers.slice(0, n).map((layer) => this.#data.graph(layer)));
    if (this.#isDisposed || turn !== this.#turn.edges || layers !== this.store.getState().layers) return;
    const parts = graphs.flatMap((graph, layer) => {
      if (!graph) return [];
      const isVisible = (node: number) => this.#scene.isShown({ layer, feature: node });
      const own = layer === 0 ? { focus, ids: selection?.ids ?? null } : { focus: null, ids: null };
      const edges = strongest(graph, edgesToShow(graph, own.focus, own.ids, allEdges, isVisible));
      return [{ layer, graph, edges }];
    });
    this.#scene.setEdges(parts);
    const shown = parts.reduce((sum, { edges }) => sum + edges.length, 0);
    const of = graphs.reduce((sum, graph) => sum + (graph?.source.length ?? 0), 0);
    this.store.setState({ edges: wants && graphs.some((graph) => graph) ? { shown, of } : null });
  }

  #changeTheme(): void {
    this.#scene.setInks(inksOf());
    void this.#run(this.#loadColours());
  }

  #showRings(): void {
    const { hover, focus, sae } = app.getState();
    const over = hover && this.spotOf(hover.sae, hover.feature);
    const focused = this.spotOf(sae, focus);
    const rings = [
      ...(focused ? [{ spot: focused, isStrong: true }] : []),
      ...(over ? [{ spot: over, isStrong: false }] : []),
    ];
    this.#scene.setRings(rings);
    if (!over || (!this.#isOver && this.#cursor === null)) this.store.setState({ tip: null });
  }

  // What follows from gestures on the map.

  /** Everything the tooltip says about a feature. */
  tipOf(spot: Spot, x: number, y: number): Tip {
    const { layers, sizing } = this.store.getState();
    const { sae, store } = layers[spot.layer];
    const column = this.#colouring?.columns[spot.layer];
    const shown = column ? [column] : [];
    const size = sizing?.columns[spot.layer];
    if (size && size.name !== column?.name) shown.push(size);
    const values = shown.map((each) => {
      const known =
        each.type === 'category'
          ? this.#itemText(each.codes[spot.feature] < 0 ? null : each.names[each.codes[spot.feature]])
          : null;
      return [each.name, known ?? cellText(store.column(each.name) ?? each, spot.feature)] as const;
    });
    return { sae, feature: spot.feature, x, y, name: this.#nameOf[spot.layer]?.(spot.feature) ?? null, values };
  }

  #itemText(name: string | null): string | null {
    const { scale } = this.store.getState();
    if (name === null || scale.kind !== 'category') return null;
    const item = scale.items.find((each) => each.name === name);
    return item && item.text !== name ? `${name} · ${item.text}` : name;
  }

  #hover(spot: Spot | null, x: number, y: number): void {
    const wasOver = this.#isOver;
    this.#isOver = spot !== null;
    if (spot) {
      this.#cursor = spot;
      this.store.setState({ tip: this.tipOf(spot, x, y) });
      setHover({ sae: this.#saeOf(spot), feature: spot.feature });
    } else if (wasOver) {
      this.store.setState({ tip: null });
      setHover(null);
    }
  }

  #rest(camera: AppState['camera']): void {
    app.setState({ camera });
    const { tip } = this.store.getState();
    const at = tip && this.#cursor && this.#scene.project(this.#cursor);
    if (at) this.store.setState({ tip: { ...tip, x: at[0], y: at[1] } });
  }

  #click(spot: Spot | null, withShift: boolean): void {
    if (!spot) return;
    this.#cursor = spot;
    if (this.#saeOf(spot) !== app.getState().sae) {
      announce(`Feature ${spot.feature} of ${this.#saeOf(spot)}: Enter or a double click opens its page`);
    } else if (withShift) toggle(spot.feature);
    else setFocus(spot.feature);
  }

  #lasso(found: readonly number[][], tool: Tool, withShift: boolean): void {
    const { sae, selection } = app.getState();
    const { layers } = this.store.getState();
    const layer = layers.findIndex((each) => each.sae === sae);
    const ids = found[layer] ?? [];
    const n_others = found.reduce((sum, list, i) => sum + (i === layer ? 0 : list.length), 0);
    const all = withShift && selection ? [...selection.ids, ...ids] : ids;
    if (all.length) select(all, withShift && selection ? selection.name : tool === 'lasso' ? 'Lasso' : 'Box');
    const others = n_others ? `; ${n_others} of other SAEs are not, as a selection is of one SAE` : '';
    announce(`${ids.length} features of ${sae} selected${others}`);
  }

  /** Step to the next feature in a direction: the one in the middle at first. */
  #step(direction: Parameters<SceneTold['step']>[0]): void {
    const { hover, focus, sae } = app.getState();
    const from = this.#cursor ?? this.spotOf(hover?.sae ?? null, hover?.feature ?? null) ?? this.spotOf(sae, focus);
    const spot = from ? this.#scene.next(from, direction) : this.#scene.middle();
    if (!spot) return announce('There is no feature in that direction');
    this.#cursor = spot;
    this.#isOver = true;
    this.#scene.reveal(spot);
    const at = this.#scene.project(spot) ?? [0, 0];
    const tip = this.tipOf(spot, at[0], at[1]);
    this.store.setState({ tip });
    setHover({ sae: tip.sae, feature: tip.feature });
    const values = tip.values.map(([name, value]) => `${name} ${value ?? 'missing'}`);
    announce([`Feature ${tip.feature} of ${tip.sae}`, tip.name ?? 'no label', ...values].join(', '));
  }

  #enter(): void {
    const { focus, sae } = app.getState();
    const spot = this.#cursor ?? this.spotOf(sae, focus);
    if (spot) this.#open(this.#saeOf(spot), spot.feature);
  }

  // What the buttons of the page do.

  setTool(tool: Tool): void {
    this.#scene.setTool(tool);
    this.store.setState({ tool });
  }

  setFlying(isFlying: boolean): void {
    this.#scene.controls.isFlying = isFlying;
    this.store.setState({ isFlying });
  }

  /** Mark what a search found; null marks nothing. */
  setFound(found: ReadonlySet<number> | null): void {
    this.store.setState({ found });
    this.#repaint();
  }

  /** Bring the selection into view, else the feature in the drawer, else everything. */
  fitSelection(): void {
    const { selection, focus, sae } = app.getState();
    const ids = selection ? [...selection.ids] : focus === null ? [] : [focus];
    const spots = ids.flatMap((feature) => this.spotOf(sae, feature) ?? []);
    this.#scene.fit(spots.length ? spots : null);
  }
}

function strongest(graph: Graph, edges: Uint32Array): Uint32Array {
  if (edges.length <= MOST_EDGES) return edges;
  return edges
    .slice()
    .sort((a, b) => graph.weight[b] - graph.weight[a])
    .subarray(0, MOST_EDGES);
}
