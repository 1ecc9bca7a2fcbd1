/** Which names the map shows from where it is seen: groups by size, single features where few are in view. */
import { project, type Projector } from './camera';
import { placeNames, shorten, type Name, type Placed } from './labels';
import { NAME_SIZES } from './overlay';

export interface NamedPlace {
  readonly key: string;
  readonly text: string;
  readonly layer: number;
  /** The feature at which the name stands. */
  readonly feature: number;
  readonly priority: number;
}

type Measure = (text: string, size: number, weight: number) => number;

const MOST = 48;

export class NamePlacer {
  nameOf: (layer: number, feature: number) => string | null = () => null;
  #groups: readonly NamedPlace[] = [];
  #near: readonly NamedPlace[] = [];
  #before: ReadonlySet<string> = new Set();
  readonly #measure: Measure;

  constructor(measure: Measure) {
    this.#measure = measure;
  }

  setGroups(groups: readonly NamedPlace[]): void {
    this.#groups = groups;
  }

  setNear(spots: readonly { layer: number; feature: number }[]): void {
    this.#near = spots.flatMap(({ layer, feature }) => {
      const text = this.nameOf(layer, feature);
      return text ? [{ key: `${layer}:${feature}`, text: shorten(text, 34), layer, feature, priority: 0 }] : [];
    });
  }

  place(projector: Projector, places: readonly Float32Array[]): Placed[] {
    const names: Name[] = [];
    const add = (place: NamedPlace, isGroup: boolean): void => {
      const at = 3 * place.feature;
      const [px, py, pz] = [places[place.layer]?.[at], places[place.layer]?.[at + 1], places[place.layer]?.[at + 2]];
      if (px === undefined || Number.isNaN(px)) return;
      const [x, y, depth] = project(projector, px, py, pz);
      if (!(depth > projector.near)) return;
      const size = isGroup ? NAME_SIZES.group : NAME_SIZES.feature;
      const width = this.#measure(place.text, size, isGroup ? 600 : 400);
      const priority = isGroup ? 1e6 + place.priority / depth : 1 / depth;
      const below = isGroup ? 0 : size + 2;
      names.push({
        key: place.key,
        text: place.text,
        x,
        y: y - below,
        width,
        height: size + (isGroup ? 5 : 4),
        priority,
      });
    };
    for (const group of this.#groups) add(group, true);
    for (const near of this.#near) add(near, false);
    const placed = placeNames(names, { width: projector.width, height: projector.height, most: MOST }, this.#before);
    this.#before = new Set(placed.map(({ key }) => key));
    return placed;
  }
}
