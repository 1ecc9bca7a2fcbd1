/** The colours of the theme, for what is drawn on a canvas. */
import type { Ground } from '../../core/palette';
import type { Inks } from '../../gl/overlay';
import type { StageInks } from '../../gl/stage';

export function currentGround(): Ground {
  return document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light';
}

export function inksOf(): Inks & StageInks {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return {
    theme: currentGround(),
    ground: of('--bg'),
    text: of('--fg'),
    faint: of('--muted'),
    mark: of('--fg'),
    accent: of('--accent'),
    edge: of('--muted'),
    font: of('--font'),
  };
}
