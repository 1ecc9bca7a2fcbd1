/** Keyboard commands of a component while it is on the page. */
import { useEffect } from 'react';
import { addCommands, type Command } from '../core/commands';

/** Offer the commands; `commands` is to be the same array as long as nothing changes. */
export function useCommands(commands: Command[]): void {
  useEffect(() => addCommands(commands), [commands]);
}
