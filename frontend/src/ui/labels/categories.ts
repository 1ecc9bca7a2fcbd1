/** The user's taxonomy, the same for all features: fetched, and fetched anew wherever it is shown once it was changed. */
import { useEffect, useState } from 'react';

import { getJson, isAborted, postJson } from '../../core/api';
import { report } from '../../core/messages';
import type { Category, CategoryList } from '../../core/types';
import { rememberedAuthor } from './author';

const PATH = '/labels/categories';
const watchers = new Set<() => void>();

export interface CategoryChange {
  readonly action: 'set' | 'drop';
  readonly name: string;
  readonly colour?: string | null;
  readonly description?: string | null;
  readonly parent?: string | null;
}

/** Say what a category is, or remove it; everything that shows categories follows. */
export async function changeCategory(change: CategoryChange): Promise<void> {
  await postJson<Category>(PATH, { ...change, by: rememberedAuthor() });
  for (const tell of watchers) tell();
}

export function useCategories(): readonly Category[] {
  const [categories, setCategories] = useState<readonly Category[]>([]);
  useEffect(() => {
    let asking = new AbortController();
    const ask = () => {
      asking.abort();
      asking = new AbortController();
      getJson<CategoryList>(PATH, {}, asking.signal).then(
        (answer) => setCategories(answer.categories),
        (error: unknown) => {
          if (!isAborted(error)) report(error);
        },
      );
    };
    ask();
    watchers.add(ask);
    return () => {
      watchers.delete(ask);
      asking.abort();
    };
  }, []);
  return categories;
}

/** What can be above a category: any other one that is not below it. */
export function possibleParents(categories: readonly Category[], name: string): string[] {
  const parentOf = new Map(categories.map((each) => [each.name, each.parent]));
  const isBelow = (each: string): boolean => {
    const seen = new Set<string>();
    for (let at: string | null = each; at !== null && !seen.has(at); at = parentOf.get(at) ?? null) {
      if (at === name) return true;
      seen.add(at);
    }
    return false;
  };
  return categories.map((each) => each.name).filter((each) => !isBelow(each));
}

/** Okabe and Ito's colours, of which the first that no category has is offered for the next one. */
const OFFERED = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#d55e00', '#56b4e9', '#f0e442', '#7a7a7a'];

export function freeColour(categories: readonly Category[]): string {
  const taken = new Set(categories.map(({ colour }) => colour?.toLowerCase()));
  return OFFERED.find((colour) => !taken.has(colour)) ?? OFFERED[categories.length % OFFERED.length];
}
