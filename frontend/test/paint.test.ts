import { describe, expect, it } from 'vitest';
import { rgbOf } from '../src/core/colour';
import { MISSING, scaleColour } from '../src/core/palette';
import { Kind } from '../src/gl/kinds';
import { clusteringFor, clusterNames, projectionFor } from '../src/pages/map/load';
import { categoryScale, lookOf, numberScale, shareOf, sizesOf } from '../src/pages/map/paint';
import { qualityText } from '../src/pages/map/quality';
import type { SaeDetail } from '../src/core/types';

const N = Number.NaN;
const base = { ground: 'light', layer: 0, column: null, mask: null, selected: null, found: null } as const;

describe('a scale of numbers', () => {
  it('counts what is missing and never lets it widen the scale', () => {
    const scale = numberScale('a', [Float64Array.from([1, 2, 3, N]), null, Float64Array.from([N, 9])]);
    expect([scale.low, scale.high, scale.n, scale.n_missing]).toEqual([1, 9, 4, 2]);
  });

  it('is not stretched by a few far values, and says how far they lie', () => {
    const values = Float64Array.from({ length: 1000 }, (_, i) => (i === 999 ? 1e9 : 1 + i / 1000));
    const scale = numberScale('a', [values]);
    expect(scale.high).toBeLessThan(2);
    expect(scale.greatest).toBe(1e9);
    expect(shareOf(scale, 1e9)).toBe(1);
  });

  it('is logarithmic where values span more than two orders and none is 0', () => {
    const spread = numberScale('a', [Float64Array.from([0.001, 0.1, 10])]);
    expect(spread.isLog).toBe(true);
    expect(shareOf(spread, 0.1)).toBeCloseTo(0.5, 9);
    expect(numberScale('a', [Float64Array.from([0, 0.1, 1000])]).isLog).toBe(false);
  });

  it('has its middle at 0 where values have both signs', () => {
    const scale = numberScale('a', [Float64Array.from([-1, 0, 3])]);
    expect(scale.ramp).toBe('diverging');
    expect(shareOf(scale, 0)).toBeCloseTo(0.5, 9);
  });

  it('of one value, and of none, is still a scale', () => {
    expect(shareOf(numberScale('a', [Float64Array.from([4, 4])]), 4)).toBe(0.5);
    expect(numberScale('a', [Float64Array.from([N])]).n).toBe(0);
  });
});

describe('the look of points', () => {
  it('gives missing values their own colour and form, never one of the scale', () => {
    const values = Float64Array.from([0, 1, N]);
    const look = lookOf(3, numberScale('a', [values]), { ...base, column: { name: 'a', type: 'number', values } });
    expect([...look.slice(0, 3)]).toEqual(scaleColour('viridis', 0, 'light').map(Math.round));
    expect([...look.slice(4, 7)]).toEqual(scaleColour('viridis', 1, 'light').map(Math.round));
    expect([...look.slice(8, 12)]).toEqual([...rgbOf(MISSING.light), Kind.missing]);
  });

  it('keeps what is left out as a ground, above all else that it is', () => {
    const look = lookOf(
      3,
      { kind: 'plain' },
      {
        ...base,
        mask: Uint8Array.from([1, 0, 1]),
        selected: Uint8Array.from([0, 1, 1]),
        found: new Set([2]),
      },
    );
    expect([look[3], look[7], look[11]]).toEqual([Kind.plain, Kind.context, Kind.found]);
  });

  it('orders categories by how many there are, over all layers', () => {
    const column = (codes: number[], names: string[]) => ({
      name: 'c',
      type: 'category' as const,
      codes: Int32Array.from(codes),
      names,
    });
    const scale = categoryScale('c', [column([0, 1, 1, -1], ['x', 'y']), null, column([0, 0], ['y'])], 'light');
    expect(scale.items.map(({ name, count }) => [name, count])).toEqual([
      ['y', 4],
      ['x', 1],
    ]);
    expect(scale.n_missing).toBe(1);
  });

  it('makes missing values the smallest', () => {
    const values = Float64Array.from([1, 5, N]);
    const sizes = sizesOf(3, numberScale('a', [values]), values)!;
    expect(sizes[2]).toBeLessThan(sizes[0]);
    expect(sizes[0]).toBeLessThan(sizes[1]);
    expect(sizesOf(3, null, null)).toBeNull();
  });
});

describe('what the map shows first', () => {
  const detail = {
    projections: [
      { name: 'umap-2d', dimensions: 2, source: 'umap', quality: null },
      { name: 'umap-3d', dimensions: 3, source: 'umap', quality: null },
    ],
    clusterings: ['ward_5', 'ward_25', 'ward_100', 'hdbscan'].map((name) => ({ name, source: 'clusters' })),
  } as unknown as SaeDetail;

  it('is what was asked for, else what fits beside the rest', () => {
    expect(projectionFor(detail, 'umap-3d')?.name).toBe('umap-3d');
    expect(projectionFor(detail, null, 3)?.name).toBe('umap-3d');
    expect(projectionFor(detail, 'imported')?.name).toBe('umap-2d');
    expect(projectionFor({ ...detail, projections: [] }, null)).toBeNull();
  });

  it('names some thirty clusters by words that tell them apart', () => {
    expect(clusteringFor(detail, null)).toBe('ward_25');
    expect(clusteringFor(detail, 'hdbscan')).toBe('hdbscan');
    const cluster = (terms: string[]) => ({ cluster: 0, size: 1, terms, medoid: null, path: null });
    const clusters = [['the', 'dog', 'cat'], ['the', 'ship', 'sea'], ['the', 'a'], ['the'], []].map(cluster);
    expect(clusterNames(clusters)).toEqual(['dog, cat', 'ship, sea', 'a, the', 'the', '']);
  });

  it('says how far it can be trusted, or that nobody knows', () => {
    const quality = [{ k: 15, trustworthiness: 0.9312, trustworthiness_se: 0.002, recall: 0.3, recall_chance: 0.01 }];
    const said = qualityText({ name: 'a', dimensions: 2, source: 'umap', quality } as never);
    expect(said.short).toBe('trust 0.931');
    expect(said.long).toContain('15 neighbours');
    expect(qualityText({ name: 'a', dimensions: 2, source: 'import', quality: null }).short).toBe('quality unknown');
  });
});
