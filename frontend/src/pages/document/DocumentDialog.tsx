/** A whole document over the page that asked for it. */

import { useEffect, useRef } from 'react';

import { Go } from '../../ui/Go';
import styles from './document.module.css';
import { DocumentPanel, type DocumentPanelProps } from './DocumentPanel';

/** The address of a document's page; the SAE and the feature to colour by are parameters of its own. */
export function documentPath(corpus: string, document: string): string {
  return `/c/${encodeURIComponent(corpus)}/d/${encodeURIComponent(document)}`;
}

export function DocumentDialog({ onClose, ...panel }: Omit<DocumentPanelProps, 'onView'> & { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const node = dialog.current;
    node?.showModal();
    return () => node?.close();
  }, []);
  const name = panel.document;
  return (
    <dialog ref={dialog} className={styles.dialog} aria-labelledby="document-name" onClose={onClose}>
      <header className={styles.dialogHead}>
        <h2 id="document-name" title={name}>
          Document <bdi>{name}</bdi>
        </h2>
        <Go to={documentPath(panel.corpus, name)}>Own page</Go>
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </header>
      {/* It scrolls, so keys must reach it. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div className={styles.dialogBody} tabIndex={0} role="region" aria-label="Document">
        <DocumentPanel {...panel} />
      </div>
    </dialog>
  );
}
