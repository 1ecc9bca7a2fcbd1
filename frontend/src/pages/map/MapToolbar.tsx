/** What the map shows and how: projection, layers, colour, size, names, tools. */
import { useStore } from 'zustand';
import { patch } from '../../core/state';
import type { ColumnInfo, ProjectionInfo, SaeDetail } from '../../core/types';
import { useApp } from '../../ui/useApp';
import { BY_LAYER, BY_NOTHING } from './colouring';
import type { MapController } from './controller';
import { Finder } from './Finder';
import { LayerChooser } from './LayerChooser';
import { qualityText } from './quality';
import { savePicture } from './picture';
import styles from './map.module.css';

export function MapToolbar({ controller }: { controller: MapController }) {
  const detail = useApp((state) => state.detail);
  const layers = useStore(controller.store, (state) => state.layers);
  const hasNone = useStore(controller.store, (state) => state.status === 'none');
  if (!detail || hasNone) return <div className={styles.toolbar} />;
  return (
    <div className={`${styles.toolbar} no-print`} role="toolbar" aria-label="Map tools">
      <ProjectionChoice detail={detail} shown={layers[0]?.projection ?? null} />
      <LayerChooser />
      <ColourChoice detail={detail} controller={controller} />
      <SizeChoice detail={detail} />
      <NamesChoice detail={detail} controller={controller} />
      <Finder controller={controller} />
      <Tools controller={controller} />
    </div>
  );
}

function ProjectionChoice({ detail, shown }: { detail: SaeDetail; shown: ProjectionInfo | null }) {
  const quality = shown ? qualityText(shown) : null;
  return (
    <label className={styles.choice}>
      <span>Map</span>
      <select
        value={shown?.name ?? ''}
        title={quality?.long}
        onChange={(event) => patch({ projection: event.target.value, camera: null })}
      >
        {detail.projections.map(({ name, dimensions }) => (
          <option key={name} value={name}>
            {name.endsWith(`${dimensions}d`) ? name : `${name} ${dimensions}-D`}
          </option>
        ))}
      </select>
      {quality ? (
        <small className="muted" title={quality.long}>
          {quality.short}
        </small>
      ) : null}
    </label>
  );
}

/** Columns by the analysis that they are of. */
function byAnalysis(columns: readonly ColumnInfo[]): [string, ColumnInfo[]][] {
  const groups = new Map<string, ColumnInfo[]>();
  for (const column of columns) groups.set(column.analysis, [...(groups.get(column.analysis) ?? []), column]);
  return [...groups];
}

function Options({ columns }: { columns: readonly ColumnInfo[] }) {
  return byAnalysis(columns).map(([analysis, list]) => (
    <optgroup key={analysis} label={analysis}>
      {list.map(({ name, column }) => (
        <option key={name} value={name}>
          {column}
        </option>
      ))}
    </optgroup>
  ));
}

function ColourChoice({ detail, controller }: { detail: SaeDetail; controller: MapController }) {
  const colourBy = useStore(controller.store, (state) => state.colourBy);
  const nLayers = useStore(controller.store, (state) => state.layers.length);
  const columns = detail.columns.filter(({ type }) => type !== 'list');
  return (
    <label className={styles.choice}>
      <span>Colour</span>
      <select value={colourBy ?? BY_NOTHING} onChange={(event) => patch({ colourBy: event.target.value })}>
        <option value={BY_NOTHING}>one colour</option>
        {nLayers > 1 || colourBy === BY_LAYER ? <option value={BY_LAYER}>SAE</option> : null}
        <Options columns={columns} />
      </select>
    </label>
  );
}

function SizeChoice({ detail }: { detail: SaeDetail }) {
  const sizeBy = useApp((state) => state.sizeBy);
  const columns = detail.columns.filter(({ type }) => type === 'number' || type === 'integer');
  return (
    <label className={styles.choice}>
      <span>Size</span>
      <select value={sizeBy ?? ''} onChange={(event) => patch({ sizeBy: event.target.value || null })}>
        <option value="">one size</option>
        <Options columns={columns} />
      </select>
    </label>
  );
}

function NamesChoice({ detail, controller }: { detail: SaeDetail; controller: MapController }) {
  const clusterBy = useStore(controller.store, (state) => state.clusterBy);
  if (!detail.clusterings.length) return null;
  return (
    <label className={styles.choice}>
      <span>Names</span>
      <select value={clusterBy ?? ''} onChange={(event) => patch({ clusterBy: event.target.value })}>
        {detail.clusterings.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Tools({ controller }: { controller: MapController }) {
  const { tool, isFlying, isFlat, layers } = useStore(controller.store);
  const allEdges = useApp((state) => state.allEdges);
  const hasEdges = layers.some(({ detail }) => detail.graphs.length > 0);
  const toggle = (name: 'lasso' | 'rectangle') => () => controller.setTool(tool === name ? 'move' : name);
  return (
    <div className={styles.tools}>
      <button type="button" aria-pressed={tool === 'lasso'} title="Select by a lasso (x)" onClick={toggle('lasso')}>
        Lasso
      </button>
      <button
        type="button"
        aria-pressed={tool === 'rectangle'}
        title="Select by a box (b)"
        onClick={toggle('rectangle')}
      >
        Box
      </button>
      {hasEdges ? (
        <button
          type="button"
          aria-pressed={allEdges}
          title="All edges, not only those of the selection (e)"
          onClick={() => patch({ allEdges: !allEdges })}
        >
          Edges
        </button>
      ) : null}
      {isFlat ? null : (
        <button
          type="button"
          aria-pressed={isFlying}
          title="Fly with W A S D, Q and E; Shift is fast (v)"
          onClick={() => controller.setFlying(!isFlying)}
        >
          Fly
        </button>
      )}
      <button type="button" title="See everything (r); f fits the selection" onClick={() => controller.scene.fit()}>
        Reset
      </button>
      <button type="button" title="Save the map as a picture" onClick={() => void savePicture(controller)}>
        PNG
      </button>
    </div>
  );
}
