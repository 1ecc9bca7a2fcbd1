/** Keys of the map, as the help page lists them. */
import { useMemo } from 'react';
import { useCommands } from '../../ui/useCommands';
import { toggle } from '../../core/selection';
import { app, patch, setFocus } from '../../core/state';
import type { MapController } from './controller';

const GROUP = 'Map';

/** Keys that the table has, too; beside it they are the table's. */
const SHARED = ['f', 'x', ' '];

export function useMapKeys(controller: MapController, isBeside: boolean): void {
  const commands = useMemo(() => {
    const { store } = controller;
    const toggleTool = (tool: 'lasso' | 'rectangle') => () =>
      controller.setTool(store.getState().tool === tool ? 'move' : tool);
    const leave = () => {
      const { tool, isFlying } = store.getState();
      const { focus, selection } = app.getState();
      if (isFlying) controller.setFlying(false);
      else if (tool !== 'move') controller.setTool('move');
      else if (focus !== null) app.setState({ focus: null });
      else if (selection) app.setState({ selection: null });
    };
    const withHovered = (run: (feature: number) => void) => () => {
      const { hover, sae } = app.getState();
      if (hover && hover.sae === sae) run(hover.feature);
    };
    const all = [
      { keys: 'f', label: 'Fit the selection, or everything', group: GROUP, run: () => controller.fitSelection() },
      { keys: 'r', label: 'See everything as at first', group: GROUP, run: () => controller.scene.fit() },
      {
        keys: 'e',
        label: 'All edges, or those of the selection',
        group: GROUP,
        run: () => patch({ allEdges: !app.getState().allEdges }),
      },
      { keys: 'x', label: 'Draw a lasso', group: GROUP, run: toggleTool('lasso') },
      { keys: 'b', label: 'Draw a box', group: GROUP, run: toggleTool('rectangle') },
      {
        keys: 'v',
        label: 'Fly: W A S D, Q and E, Shift for fast',
        group: GROUP,
        run: () => !store.getState().isFlat && controller.setFlying(!store.getState().isFlying),
      },
      { keys: ' ', label: 'Show the feature in the drawer', group: GROUP, run: withHovered(setFocus) },
      { keys: 'p', label: 'Select the feature, or take it out', group: GROUP, run: withHovered(toggle) },
      { keys: 'Escape', label: 'Leave the tool, the drawer, the selection', group: GROUP, run: leave },
    ];
    return isBeside ? all.filter(({ keys }) => !SHARED.includes(keys)) : all;
  }, [controller, isBeside]);
  useCommands(commands);
}
