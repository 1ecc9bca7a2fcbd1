/** Messages that wait to be read, and the live region that says counts. */
import { useStore } from 'zustand';
import { dismiss, messages } from '../../core/messages';
import styles from './shell.module.css';

export function Messages() {
  const list = useStore(messages, (state) => state.list);
  return (
    <div className={`${styles.messages} no-print`} role="region" aria-label="Messages">
      {list.map(({ id, kind, text, hint }) => (
        <div key={id} role={kind === 'error' ? 'alert' : 'status'} className={`${styles.message} ${styles[kind]}`}>
          <div dir="auto">
            <strong>{text}</strong>
            {hint ? <p>{hint}</p> : null}
          </div>
          <button type="button" className="quiet icon" aria-label="Dismiss" onClick={() => dismiss(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}

export function LiveRegion() {
  const spoken = useStore(messages, (state) => state.spoken);
  return (
    <div className="visually-hidden" role="status" aria-live="polite">
      {spoken}
    </div>
  );
}
