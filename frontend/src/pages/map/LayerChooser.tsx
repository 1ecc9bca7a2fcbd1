/** Which other SAEs are on the map, and how they are arranged. */
import { patch } from '../../core/state';
import type { SaeList } from '../../core/types';
import { count } from '../../core/numbers';
import { Failure } from '../../ui/Failure';
import { Popover } from '../../ui/Popover';
import { useApp } from '../../ui/useApp';
import { useJson } from '../../ui/useJson';
import styles from './map.module.css';

export function LayerChooser() {
  const n = useApp((state) => state.layers.filter((name) => name !== state.sae).length);
  return (
    <Popover face={n ? `Layers: ${n + 1}` : 'Layers'} title="Show other SAEs on the same map">
      {() => <Choices />}
    </Popover>
  );
}

function Choices() {
  const sae = useApp((state) => state.sae);
  const layers = useApp((state) => state.layers);
  const arrangement = useApp((state) => state.arrangement);
  const { data, error, isLoading } = useJson<SaeList>('/saes');
  const others = data?.saes.filter(({ name }) => name !== sae) ?? [];
  const toggle = (name: string) =>
    patch({ layers: layers.includes(name) ? layers.filter((each) => each !== name) : [...layers, name], camera: null });
  return (
    <div className={styles.layers}>
      {isLoading ? <p className="muted">Loading …</p> : null}
      {error ? <Failure error={error} /> : null}
      {data && !others.length ? <p className="muted">There is no other SAE in this atlas.</p> : null}
      {others.length ? (
        <fieldset>
          <legend>Other SAEs beside {sae}</legend>
          {others.map(({ name, n_features }) => (
            <label key={name}>
              <input type="checkbox" checked={layers.includes(name)} onChange={() => toggle(name)} />
              <span dir="auto">{name}</span>
              <span className="muted">{count(n_features)}</span>
            </label>
          ))}
        </fieldset>
      ) : null}
      {layers.length ? (
        <fieldset>
          <legend>Arranged</legend>
          {(['beside', 'stacked'] as const).map((way) => (
            <label key={way}>
              <input
                type="radio"
                name="arrangement"
                checked={arrangement === way}
                onChange={() => patch({ arrangement: way, camera: null })}
              />
              {way === 'beside' ? 'beside each other' : 'stacked'}
            </label>
          ))}
        </fieldset>
      ) : null}
    </div>
  );
}
