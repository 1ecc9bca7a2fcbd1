/** A modal dialog: the browser's own, which keeps the focus inside and gives it back. */
import { useId, useLayoutEffect, useRef, type ReactNode } from 'react';
import styles from './dialog.module.css';

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  /** What stands at the foot: buttons. */
  foot?: ReactNode;
}

export function Dialog({ title, onClose, children, foot }: DialogProps) {
  const box = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Closed while it is still on the page, or the focus would be lost with it.
  useLayoutEffect(() => {
    const dialog = box.current;
    if (dialog && !dialog.open) {
      dialog.showModal();
      dialog.querySelector<HTMLElement>('input:not([type=checkbox]), textarea, select')?.focus();
    }
    return () => dialog?.close();
  }, []);
  return (
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions -- Esc closes it too
    <dialog
      ref={box}
      className={styles.dialog}
      aria-labelledby={id}
      onClick={(event) => event.target === box.current && onClose()}
      onCancel={(event) => {
        // That of a dialog over this one comes here too.
        if (event.target !== event.currentTarget) return;
        event.preventDefault();
        onClose();
      }}
    >
      <div className={styles.inside}>
        <header className={styles.head}>
          <h2 id={id}>{title}</h2>
          <button type="button" className="quiet icon" onClick={onClose} aria-label="Close">
            ×
          </button>
        </header>
        <div className={styles.body}>{children}</div>
        {foot ? <footer className={styles.foot}>{foot}</footer> : null}
      </div>
    </dialog>
  );
}
