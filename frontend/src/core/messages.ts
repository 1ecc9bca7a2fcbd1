/** What the pages have to tell: messages that stay until they are read, and counts for those who listen. */
import { createStore } from 'zustand/vanilla';
import { ApiError, isAborted } from './api';

export interface Message {
  id: number;
  kind: 'error' | 'info';
  text: string;
  hint: string | null;
}

export const messages = createStore<{ list: Message[]; spoken: string }>(() => ({ list: [], spoken: '' }));

let n_messages = 0;

/** What went well is read in passing, and goes by itself; errors stay. */
const PASSING = 6000;

/** Show a message; one that says the same as one on show is not shown twice. */
export function tell(kind: Message['kind'], text: string, hint: string | null = null): void {
  const { list } = messages.getState();
  if (list.some((message) => message.text === text && message.hint === hint)) return;
  n_messages += 1;
  const id = n_messages;
  messages.setState({ list: [...list.slice(-3), { id, kind, text, hint }] });
  if (kind === 'info' && hint === null) setTimeout(() => dismiss(id), PASSING);
}

/** Show what went wrong. A request that the page itself gave up is nothing to tell. */
export function report(error: unknown): void {
  if (isAborted(error)) return;
  if (error instanceof ApiError) tell('error', error.detail, error.hint);
  else tell('error', error instanceof Error ? error.message : String(error));
}

export function dismiss(id: number): void {
  messages.setState(({ list }) => ({ list: list.filter((message) => message.id !== id) }));
}

/** Say something through the live region, for those who do not see the page. */
export function announce(text: string): void {
  messages.setState({ spoken: text });
}
