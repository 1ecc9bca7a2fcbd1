/** The SAEs that have activations over a corpus, and the one whose features a document shows. */

import { useEffect, useState } from 'react';

import { getJson, isAborted } from '../../core/api';
import { report } from '../../core/messages';
import type { SaeList, SaeSummary } from '../../core/types';

/** Null while they are asked for; `chosen` is the SAE that is open where it is one of them. */
export function useSaeOfCorpus(corpus: string, open: string | null) {
  const [saes, setSaes] = useState<SaeSummary[] | null>(null);
  const [wanted, choose] = useState<string | null>(null);
  useEffect(() => {
    const asking = new AbortController();
    getJson<SaeList>('/saes', {}, asking.signal).then(
      (answer) => setSaes(answer.saes.filter((sae) => sae.corpus === corpus && sae.has_activations)),
      (error: unknown) => {
        if (!isAborted(error)) report(error);
      },
    );
    return () => asking.abort();
  }, [corpus]);
  const names = saes?.map(({ name }) => name) ?? [];
  const chosen = [wanted, open].find((name) => name !== null && names.includes(name)) ?? names[0] ?? null;
  return { saes, chosen, choose };
}
