/** The facts of an SAE in words. */
import { count, number } from './numbers';
import type { AnalysisState, SaeSummary, Scalar } from './types';

/** What most people tell SAEs apart by: model, layer and hook; empty where nobody stated them. */
export function identityText({ identity }: Pick<SaeSummary, 'identity'>): string {
  const { model, layer, hook } = identity;
  const parts = [
    typeof model === 'string' ? model : null,
    typeof layer === 'number' || typeof layer === 'string' ? `layer ${layer}` : null,
    typeof hook === 'string' ? hook : null,
  ];
  return parts.filter((part) => part !== null && part !== '').join(', ');
}

/** The facts of an SAE's identity in one line, those that are not known left out. */
export function identityLine(identity: Readonly<Record<string, Scalar>>, digest: string): string {
  const said = ['model', 'hook', 'layer', 'architecture', 'width', 'revision'].flatMap((name) => {
    const value = identity[name];
    if (value === null || value === undefined || value === '') return [];
    return [
      name === 'model' || name === 'hook' || name === 'architecture' ? String(value) : `${name} ${String(value)}`,
    ];
  });
  return [...said, `identity ${digest.slice(0, 12)}`].join(' · ');
}

/** Facts that were stated, in their order. */
export function statedFacts(identity: Record<string, Scalar>): [string, Scalar][] {
  return Object.entries(identity).filter(([, value]) => value !== null && value !== '' && value !== undefined);
}

const { compare } = new Intl.Collator(undefined, { numeric: true });

/** By name, and numbers in names by size: layer 9 before layer 10. */
export function byName<T extends { name: string }>(things: readonly T[]): T[] {
  return [...things].sort((a, b) => compare(a.name, b.name));
}

export interface MissingAnalysis {
  name: string;
  state: 'stale' | 'absent';
  reason: string | null;
  command: string;
}

/** A word as a shell takes it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Analyses that are not current, stale ones first, each with the command that makes it. */
export function missingAnalyses(analyses: readonly AnalysisState[], sae: string): MissingAnalysis[] {
  const missing = analyses.flatMap(({ name, state, reason }) =>
    state === 'current'
      ? []
      : [{ name, state, reason, command: `saeatlas analyze ${quoted(name)} --sae ${quoted(sae)}` }],
  );
  return missing.sort((a, b) => (a.state === b.state ? a.name.localeCompare(b.name) : a.state === 'stale' ? -1 : 1));
}

/** A scalar as people read it. */
export function scalarText(value: unknown): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'number') return Number.isInteger(value) ? count(value) : number(value, 4);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.map(scalarText).join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
