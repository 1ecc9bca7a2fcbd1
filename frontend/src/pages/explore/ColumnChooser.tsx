/** Which columns the table shows, and in which order. */
import { useId, useMemo, useState } from 'react';
import { foldText } from '../../core/filter';
import { firstColumns } from '../../core/session';
import { patch } from '../../core/state';
import type { ColumnInfo } from '../../core/types';
import { Dialog } from '../../ui/Dialog';
import { useApp } from '../../ui/useApp';
import styles from './chooser.module.css';

function Chosen({ columns, change }: { columns: string[]; change: (columns: string[]) => void }) {
  const move = (index: number, by: number) => {
    const next = [...columns];
    const [name] = next.splice(index, 1);
    next.splice(index + by, 0, name);
    change(next);
  };
  return (
    <ol className={styles.chosen} aria-label="Columns on show, in their order">
      {columns.map((name, index) => (
        <li key={name}>
          <span className="ellipsis" title={name}>
            {name}
          </span>
          <button
            type="button"
            className="quiet icon"
            disabled={index === 0}
            aria-label={`Move ${name} to the left`}
            onClick={() => move(index, -1)}
          >
            ↑
          </button>
          <button
            type="button"
            className="quiet icon"
            disabled={index === columns.length - 1}
            aria-label={`Move ${name} to the right`}
            onClick={() => move(index, 1)}
          >
            ↓
          </button>
          <button
            type="button"
            className="quiet icon"
            aria-label={`Hide ${name}`}
            onClick={() => change(columns.filter((each) => each !== name))}
          >
            ×
          </button>
        </li>
      ))}
    </ol>
  );
}

function groupsOf(columns: readonly ColumnInfo[], query: string): [string, ColumnInfo[]][] {
  const words = foldText(query).split(/\s+/).filter(Boolean);
  const groups = new Map<string, ColumnInfo[]>();
  for (const column of columns) {
    const text = foldText(`${column.name} ${column.description ?? ''}`);
    if (!words.every((word) => text.includes(word))) continue;
    groups.set(column.analysis, [...(groups.get(column.analysis) ?? []), column]);
  }
  return [...groups];
}

/** One column, to be ticked; what it means stands below its name and is read out after it. */
function Choice({ info, isOn, toggle }: { info: ColumnInfo; isOn: boolean; toggle: (isOn: boolean) => void }) {
  const id = useId();
  return (
    <div className={styles.choice}>
      <label>
        <input
          type="checkbox"
          checked={isOn}
          aria-describedby={info.description ? id : undefined}
          onChange={(event) => toggle(event.target.checked)}
        />
        <span>{info.column}</span>
        <span className="muted">{info.type}</span>
      </label>
      {info.description ? (
        <p id={id} className="muted">
          {info.description}
        </p>
      ) : null}
    </div>
  );
}

export function ColumnChooser({ onClose }: { onClose: () => void }) {
  const detail = useApp((state) => state.detail);
  const columns = useApp((state) => state.columns);
  const [query, setQuery] = useState('');
  const groups = useMemo(() => groupsOf(detail?.columns ?? [], query), [detail, query]);
  const change = (next: string[]) => patch({ columns: next });
  const foot = (
    <>
      <button type="button" onClick={() => change(firstColumns(detail?.columns ?? []))}>
        As at first
      </button>
      <button type="button" className="primary" onClick={onClose}>
        Done
      </button>
    </>
  );
  return (
    <Dialog title="Columns" onClose={onClose} foot={foot}>
      <div className={styles.chooser}>
        <div>
          <input
            type="search"
            className={styles.query}
            placeholder={`Search ${detail?.columns.length ?? 0} columns`}
            aria-label="Search columns"
            value={query}
            onChange={(event) => setQuery(event.target.value)}
          />
          <div className={styles.groups}>
            {groups.map(([analysis, infos]) => (
              <fieldset key={analysis}>
                <legend>{analysis}</legend>
                {infos.map((info) => (
                  <Choice
                    key={info.name}
                    info={info}
                    isOn={columns.includes(info.name)}
                    toggle={(isOn) =>
                      change(isOn ? [...columns, info.name] : columns.filter((each) => each !== info.name))
                    }
                  />
                ))}
              </fieldset>
            ))}
            {groups.length ? null : <p className="muted">No column has these words in its name or in what it means.</p>}
          </div>
        </div>
        <Chosen columns={columns} change={change} />
      </div>
    </Dialog>
  );
}
