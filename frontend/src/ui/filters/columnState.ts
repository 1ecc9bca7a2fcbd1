/** What the filter of one column reads and writes. */
import { useMemo } from 'react';
import { binsOf, countBins, type Bins } from '../../core/bins';
import type { Column } from '../../core/columns';
import { maskWithout } from '../../core/filter';
import { isIdColumn } from '../../core/format';
import { putFilter, removeFilter, type Filter, type RangeFilter } from '../../core/state';
import { useApp } from '../useApp';

/** The filter of a kind over a column, as it is now or as one that lets everything through. */
export function useFilter<K extends Filter['kind']>(kind: K, column: string): Extract<Filter, { kind: K }> | null {
  return useApp((state) => {
    const found = state.filters.find((filter) => filter.id === `${kind}:${column}`);
    return (found as Extract<Filter, { kind: K }> | undefined) ?? null;
  });
}

/** Change the range over a column; one that lets everything through is no filter. */
export function putRange(column: string, now: RangeFilter | null, change: Partial<RangeFilter>): void {
  const id = `range:${column}`;
  const base: RangeFilter = now ?? { id, name: column, kind: 'range', column, low: null, high: null, missing: 'keep' };
  const next = { ...base, ...change };
  if (next.low === null && next.high === null && next.missing === 'keep') removeFilter(id);
  else putFilter(next);
}

/** Bins of a column, made once, and its counts among all features and among those that pass the other filters. */
export function useBins(column: Column | undefined): Bins | null {
  return useMemo(() => (column ? binsOf(column, isIdColumn(column.name)) : null), [column]);
}

export function useCounts(bins: Bins | null, filterId: string): { all: Uint32Array; passing: Uint32Array } | null {
  const view = useApp((state) => state.view);
  const all = useMemo(() => bins && countBins(bins, null), [bins]);
  const passing = useMemo(() => bins && view && countBins(bins, maskWithout(view, filterId)), [bins, view, filterId]);
  return all && passing ? { all, passing } : null;
}
