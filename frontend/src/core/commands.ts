/** Keyboard commands: what each page offers, found by the keys that were pressed. */

export interface Command {
  /** Keys as in `KeyboardEvent.key`, one after the other: 'j', 'g m', '['. */
  keys: string;
  /** What it does, as the help page says it. */
  label: string;
  group: string;
  run: () => void;
}

/** Longer than this between two keys, and the second begins anew. */
const PATIENCE = 1200;

const offered: Command[][] = [];
let pressed = '';
let pressedAt = -Infinity;

/** Offer commands until the answer is called. Where two share their keys, the one offered last is run. */
export function addCommands(commands: Command[]): () => void {
  offered.push(commands);
  return () => {
    const place = offered.indexOf(commands);
    if (place >= 0) offered.splice(place, 1);
  };
}

/** All commands on offer, those that are hidden by a later one left out. */
export function listCommands(): Command[] {
  const byKeys = new Map<string, Command>();
  for (const command of offered.flat()) byKeys.set(command.keys, command);
  return [...byKeys.values()];
}

/** Whether keys pressed here are text, or belong to a control or a dialog. */
function isTyping(target: EventTarget | null): boolean {
  if (typeof Element === 'undefined' || !(target instanceof Element)) return false;
  if (
    target.closest('input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable=true]')
  )
    return true;
  // A dialog keeps the keys even when what had the focus in it is gone.
  if (target === document.body && document.querySelector('dialog[open]')) return true;
  return target.closest('dialog[open], [role=menu], [role=listbox]') !== null;
}

/** Run the command that a key press completes; true when there was one. */
export function handleKey(event: KeyboardEvent, now: number = performance.now()): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return false;
  if (isTyping(event.target)) return false;
  // Enter and Space press the button or follow the link that has the focus.
  if ((event.key === 'Enter' || event.key === ' ') && isPressable(event.target)) return false;
  const sequence = now - pressedAt < PATIENCE && pressed ? `${pressed} ${event.key}` : event.key;
  const commands = listCommands();
  const command = commands.find(({ keys }) => keys === sequence) ?? commands.find(({ keys }) => keys === event.key);
  if (command) {
    pressed = '';
    command.run();
    return true;
  }
  pressed = commands.some(({ keys }) => keys.startsWith(`${event.key} `)) ? event.key : '';
  pressedAt = now;
  return false;
}

function isPressable(target: EventTarget | null): boolean {
  return (
    typeof Element !== 'undefined' && target instanceof Element && target.closest('button, a[href], summary') !== null
  );
}
