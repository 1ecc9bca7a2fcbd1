/** The keys that work on the page on show. */
import { listCommands, type Command } from '../../core/commands';
import { Dialog } from '../Dialog';
import styles from './help.module.css';

const NAMES: Record<string, string> = {
  ' ': 'Space',
  ArrowUp: '↑',
  ArrowDown: '↓',
  ArrowLeft: '←',
  ArrowRight: '→',
  Escape: 'Esc',
};

export function Keys({ keys }: { keys: string }) {
  const parts = keys === ' ' ? [' '] : keys.split(' ');
  return (
    <span className={styles.keys}>
      {parts.map((key, index) => (
        <kbd key={index}>{NAMES[key] ?? key}</kbd>
      ))}
    </span>
  );
}

export function Help({ onClose }: { onClose: () => void }) {
  const groups = groupBy(listCommands());
  return (
    <Dialog title="Keys" onClose={onClose}>
      <div className={styles.groups}>
        {[...groups].map(([group, commands]) => (
          <section key={group} aria-label={group}>
            <h3>{group}</h3>
            <dl className={styles.list}>
              {commands.map(({ keys, label }) => (
                <div key={keys}>
                  <dt>
                    <Keys keys={keys} />
                  </dt>
                  <dd>{label}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <p className="muted">
        Filters, selection and colour are in the address: the link of this page shows another person the same. Missing
        values have a bar of their own in every histogram and are dropped only where a filter says so.
      </p>
    </Dialog>
  );
}

function groupBy(commands: Command[]): Map<string, Command[]> {
  const groups = new Map<string, Command[]>();
  for (const command of commands) groups.set(command.group, [...(groups.get(command.group) ?? []), command]);
  return groups;
}
