/** Filters in words. */
import { shortNumber } from './format';
import { count } from './numbers';
import type { Filter } from './state';

/** What a filter lets through, in words. */
export function filterText(filter: Filter): string {
  switch (filter.kind) {
    case 'range': {
      const { low, high, missing } = filter;
      if (missing === 'only') return 'missing only';
      const range =
        low !== null && high !== null
          ? `${shortNumber(low)} – ${shortNumber(high)}`
          : low !== null
            ? `≥ ${shortNumber(low)}`
            : high !== null
              ? `≤ ${shortNumber(high)}`
              : missing === 'drop'
                ? 'not missing'
                : 'any';
      return missing === 'keep' ? `${range} or missing` : range;
    }
    case 'values':
      return filter.values.map((value) => value ?? 'missing').join(', ');
    case 'text':
      return `“${filter.query}”`;
    case 'set':
      return count(filter.ids.length);
  }
}
