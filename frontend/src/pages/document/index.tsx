/** A document on its own page: all its rows, with the features that fire in it. */

import { useState } from 'react';

import type { DocumentView } from '../../core/types';
import { useReady } from '../../ui/ready';
import { Section } from '../../ui/section/Section';
import { useApp } from '../../ui/useApp';
import { usePath } from '../../ui/usePath';
import styles from './document.module.css';
import { DocumentPanel } from './DocumentPanel';
import { useSaeOfCorpus } from './saeOfCorpus';

export default function DocumentPage() {
  const [, corpus = '', , document = ''] = usePath();
  const open = useApp((state) => state.sae);
  const { saes, chosen, choose } = useSaeOfCorpus(corpus, open);
  const [view, setView] = useState<DocumentView | null>(null);
  useReady('document', view !== null);
  return (
    <main className={styles.page} aria-label="Document">
      <div className={styles.column}>
        <h1>
          Document <bdi>{view?.document ?? document}</bdi>
        </h1>
        <Section
          title="Tokens"
          note={`corpus ${corpus}`}
          tools={
            saes && saes.length > 1 ? (
              <label>
                SAE{' '}
                <select value={chosen ?? ''} onChange={(event) => choose(event.target.value)}>
                  {saes.map(({ name }) => (
                    <option key={name}>{name}</option>
                  ))}
                </select>
              </label>
            ) : null
          }
        >
          {saes ? (
            <DocumentPanel
              key={`${corpus} ${document} ${chosen}`}
              corpus={corpus}
              document={document}
              sae={chosen}
              onView={setView}
            />
          ) : null}
        </Section>
      </div>
    </main>
  );
}
