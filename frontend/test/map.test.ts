import { describe, expect, it } from 'vitest';
import { arrange, boxOf, columnsFor } from '../src/gl/arrange';
import {
  aim,
  between,
  dolly,
  eyeOf,
  fit,
  fly,
  fromEye,
  look,
  orbit,
  pan,
  project,
  projectAll,
  projectorOf,
  START,
  toEye,
  type Pose,
  type Vec3,
} from '../src/gl/camera';
import { edgesAt, edgesToShow, edgesWithin, graphOf } from '../src/gl/edges';
import { anchorOf, placeNames, shorten, type Name } from '../src/gl/labels';
import { inside, isInside, rectangle } from '../src/gl/lasso';
import { nearestId } from '../src/gl/nearest';
import { stepFrom } from '../src/gl/step';

/** Numbers between 0 and 1 that are the same on every run. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const TURNED: Pose = { target: [0.3, -0.2, 0.5], distance: 2.5, yaw: 0.7, pitch: -0.4 };

describe('the camera', () => {
  it('comes back out of an address', () => {
    const back = fromEye(toEye(TURNED))!;
    expect(back.distance).toBeCloseTo(TURNED.distance, 9);
    expect(back.yaw).toBeCloseTo(TURNED.yaw, 9);
    expect(back.pitch).toBeCloseTo(TURNED.pitch, 9);
    expect(fromEye({ position: [1, 1, 1], target: [1, 1, 1] })).toBeNull();
  });

  it('keeps the target in the middle of the view, and turns around it', () => {
    for (const pose of [START, TURNED, orbit(TURNED, 1, 0.2)]) {
      const [x, y, depth] = project(projectorOf(pose, 800, 600), ...pose.target);
      expect([x, y, depth]).toEqual([expect.closeTo(400, 6), expect.closeTo(300, 6), expect.closeTo(pose.distance, 6)]);
    }
  });

  it('moves what is under the pointer with the pointer', () => {
    const [before, after] = [TURNED, pan(TURNED, 30, -12, 600)].map((pose) =>
      project(projectorOf(pose, 800, 600), ...TURNED.target),
    );
    expect(after[0] - before[0]).toBeCloseTo(30, 6);
    expect(after[1] - before[1]).toBeCloseTo(-12, 6);
  });

  it('zooms to the pointer', () => {
    const place: Vec3 = [0.4, 0.3, 0];
    const [x, y] = project(projectorOf(START, 800, 600), ...place);
    const nearer = dolly(START, 0.5, [(2 * x) / 800 - 1, 1 - (2 * y) / 600], 800 / 600);
    const after = project(projectorOf(nearer, 800, 600), ...place);
    expect(after[0]).toBeCloseTo(x, 6);
    expect(after[1]).toBeCloseTo(y, 6);
  });

  it('leads to what it aims at, without moving the eye', () => {
    const aimed = aim(TURNED, 1.2);
    eyeOf(aimed).forEach((value, d) => expect(value).toBeCloseTo(eyeOf(TURNED)[d], 9));
    expect(aimed.distance).toBe(1.2);
  });

  it('looks around without moving the eye, and flies ahead', () => {
    const turned = look(TURNED, 0.3, 0.1);
    eyeOf(turned).forEach((value, d) => expect(value).toBeCloseTo(eyeOf(TURNED)[d], 9));
    const flown = fly(TURNED, [0, 0, 1]);
    const gone = Math.hypot(...eyeOf(flown).map((value, d) => value - eyeOf(TURNED)[d]));
    expect(gone).toBeCloseTo(1, 9);
    expect(project(projectorOf(TURNED, 800, 600), ...eyeOf(flown))[2]).toBeCloseTo(1, 9);
  });

  it('fits every point, and as near as it can', () => {
    const random = chance(4);
    const places = Float32Array.from({ length: 900 }, () => 6 * random() - 2);
    places[30] = Number.NaN;
    const pose = fit(TURNED, [places], 1.5, 1);
    const seen = new Float32Array(places.length);
    projectAll(projectorOf(pose, 900, 600), places, seen);
    const [xs, ys] = [0, 1].map((d) =>
      Array.from({ length: 300 }, (_, i) => seen[3 * i + d]).filter((v) => !Number.isNaN(v)),
    );
    expect(Math.min(...xs)).toBeGreaterThan(-0.5);
    expect(Math.max(...xs)).toBeLessThan(900.5);
    expect(Math.min(...ys)).toBeGreaterThan(-0.5);
    expect(Math.max(...ys)).toBeLessThan(600.5);
    const touches = [Math.min(...xs), 900 - Math.max(...xs), Math.min(...ys), 600 - Math.max(...ys)];
    expect(Math.min(...touches)).toBeLessThan(0.5);
  });

  it('goes from one pose to another', () => {
    expect(between(START, TURNED, 0)).toEqual(START);
    const there = between(START, TURNED, 1);
    expect(there.distance).toBeCloseTo(TURNED.distance, 9);
    expect(there.yaw).toBeCloseTo(TURNED.yaw, 9);
  });

  it('does not see what is behind it', () => {
    const seen = new Float32Array(3);
    projectAll(projectorOf(START, 800, 600), Float32Array.from([0, 0, 10]), seen);
    expect(seen[2]).toBeNaN();
  });
});

describe('the arrangement', () => {
  const cloud = (scale: number, isFlat = true) => ({
    name: 'a',
    isFlat,
    places: Float32Array.from([0, 0, 0, scale, scale, 0, scale, 0, 0, Number.NaN, Number.NaN, Number.NaN]),
  });

  it('brings maps of any unit to one size, beside each other, without overlap', () => {
    const made = arrange([cloud(1), cloud(50), cloud(0.01), cloud(7)], 'beside', 1);
    const boxes = made.map(({ box }) => box);
    for (const { low, high } of boxes) expect(high[0] - low[0]).toBeCloseTo(2, 4);
    for (let i = 0; i < 4; i++)
      for (let j = 0; j < i; j++) {
        const apart = [0, 1].some((d) => boxes[i].low[d] > boxes[j].high[d] || boxes[j].low[d] > boxes[i].high[d]);
        expect(apart).toBe(true);
      }
    expect(made.map(({ n_placed }) => n_placed)).toEqual([3, 3, 3, 3]);
  });

  it('lays flat maps down when they are stacked', () => {
    const [first, second] = arrange([cloud(1), cloud(1)], 'stacked', 1);
    expect(first.box.low[1]).toBe(first.box.high[1]);
    expect(second.box.low[1]).toBeGreaterThan(first.box.high[1]);
  });

  it('leaves features without a place without a place', () => {
    expect(arrange([cloud(3)], 'beside', 1)[0].places[9]).toBeNaN();
    expect(boxOf(Float32Array.from([Number.NaN, 0, 0])).n).toBe(0);
  });

  it('chooses columns for the shape of the view', () => {
    expect(columnsFor(8, 1.8)).toBe(4);
    expect(columnsFor(8, 0.3)).toBe(2);
    expect(columnsFor(3, 9)).toBe(3);
    expect(columnsFor(1, 1)).toBe(1);
  });
});

describe('the lasso', () => {
  it('agrees with the winding of a convex polygon, and with its bounds', () => {
    const random = chance(8);
    const corners = Array.from({ length: 7 }, (_, i) => {
      const angle = (2 * Math.PI * i) / 7;
      return [100 + 60 * Math.cos(angle), 100 + 60 * Math.sin(angle)] as const;
    });
    for (let t = 0; t < 500; t++) {
      const [x, y] = [200 * random(), 200 * random()];
      const sides = corners.map(([ax, ay], i) => {
        const [bx, by] = corners[(i + 1) % 7];
        return (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0;
      });
      expect(isInside(corners, x, y)).toBe(sides.every(Boolean));
    }
  });

  it('follows a shape that is not convex', () => {
    const horseshoe = [
      [0, 0],
      [9, 0],
      [9, 9],
      [6, 9],
      [6, 3],
      [3, 3],
      [3, 9],
      [0, 9],
    ] as const;
    expect(isInside(horseshoe, 4.5, 6)).toBe(false);
    expect(isInside(horseshoe, 1.5, 6)).toBe(true);
    expect(isInside(horseshoe, 7.5, 6)).toBe(true);
  });

  it('takes only points that are seen and wanted', () => {
    const seen = Float32Array.from([5, 5, 1, 5, 5, Number.NaN, 6, 6, 1, 50, 5, 1]);
    expect(inside(rectangle([9, 9], [0, 0]), seen, (i) => i !== 2)).toEqual([0]);
    expect(
      inside(
        [
          [0, 0],
          [1, 1],
        ],
        seen,
        () => true,
      ),
    ).toEqual([]);
  });
});

describe('steps', () => {
  it('lead to the nearest point in the direction', () => {
    const seen = Float32Array.from([10, 10, 5, 20, 10, 5, 40, 11, 5, 10, 30, 5, 22, 60, 5]);
    const from = (i: number) => [seen[3 * i], seen[3 * i + 1], seen[3 * i + 2]] as const;
    const step = (i: number, to: 'left' | 'right' | 'up' | 'down') => stepFrom(seen, from(i), to, 500, (j) => j !== i);
    expect(step(0, 'right')).toBe(1);
    expect(step(1, 'right')).toBe(2);
    expect(step(2, 'left')).toBe(1);
    expect(step(0, 'down')).toBe(3);
    expect(step(0, 'left')).toBe(-1);
    expect(step(0, 'up')).toBe(-1);
  });

  it('prefer points at the same depth', () => {
    const seen = Float32Array.from([0, 0, 5, 10, 0, 9, 14, 0, 5]);
    expect(stepFrom(seen, [0, 0, 5], 'right', 500, (i) => i > 0)).toBe(2);
  });

  it('can reach most points of a cloud', () => {
    const random = chance(3);
    const n = 60;
    const seen = Float32Array.from({ length: 3 * n }, (_, i) => (i % 3 === 2 ? 5 : 500 * random()));
    const reached = new Set([0]);
    const queue = [0];
    while (queue.length) {
      const i = queue.pop()!;
      for (const to of ['left', 'right', 'up', 'down'] as const) {
        const next = stepFrom(seen, [seen[3 * i], seen[3 * i + 1], 5], to, 500, (j) => j !== i);
        if (next >= 0 && !reached.has(next)) queue.push(next);
        if (next >= 0) reached.add(next);
      }
    }
    expect(reached.size).toBeGreaterThan(n * 0.9);
  });
});

describe('names', () => {
  const random = chance(5);
  const names: Name[] = Array.from({ length: 300 }, (_, i) => ({
    key: String(i),
    text: `name ${i}`,
    x: 800 * random(),
    y: 600 * random(),
    width: 40 + 80 * random(),
    height: 16,
    priority: random(),
  }));
  const space = { width: 800, height: 600, most: 60, gap: 3 };

  it('never cover each other and stay in view', () => {
    const placed = placeNames(names, space);
    expect(placed.length).toBeGreaterThan(30);
    for (const a of placed) {
      expect(a.left).toBeGreaterThanOrEqual(0);
      expect(a.left + a.width).toBeLessThanOrEqual(800);
      for (const b of placed)
        if (a !== b)
          expect(
            a.left + a.width <= b.left ||
              b.left + b.width <= a.left ||
              a.top + a.height <= b.top ||
              b.top + b.height <= a.top,
          ).toBe(true);
    }
  });

  it('of the highest priority are always there', () => {
    const placed = new Set(placeNames(names, space).map(({ key }) => key));
    const first = [...names].sort((a, b) => b.priority - a.priority)[0];
    expect(placed.has(first.key)).toBe(true);
  });

  it('stay where they were when others become a little more important', () => {
    const pair = (priority: number): Name[] => [
      { key: 'old', text: 'old', x: 100, y: 100, width: 60, height: 60, priority: 1 },
      { key: 'new', text: 'new', x: 110, y: 100, width: 60, height: 60, priority },
    ];
    expect(placeNames(pair(1.1), space, new Set(['old'])).map(({ key }) => key)).toEqual(['old']);
    expect(placeNames(pair(1.1), space).map(({ key }) => key)).toEqual(['new']);
    expect(placeNames(pair(2), space, new Set(['old'])).map(({ key }) => key)).toEqual(['new']);
  });

  it('stand at a member of their group, not where a far one pulls them', () => {
    const places = Float32Array.from([0, 0, 0, 1, 0, 0, 0.5, 0.1, 0, 100, 0, 0, Number.NaN, 0, 0]);
    expect(anchorOf(places, [0, 1, 2, 4])).toBe(2);
    expect(anchorOf(places, [0, 1, 2, 3])).not.toBe(3);
    expect(anchorOf(places, [4])).toBe(-1);
  });

  it('are cut at words', () => {
    expect(shorten('references to dogs and puppies', 20)).toBe('references to dogs…');
    expect(shorten('  short\n name ', 20)).toBe('short name');
    expect(shorten('👩‍🚀'.repeat(3), 4).endsWith('…')).toBe(true);
  });
});

describe('edges', () => {
  const graph = graphOf(6, [0, 1, 2, 3, 3, 9], [1, 2, 0, 3, 4, 0], [0.9, 0.5, 0.7, 1, 0.2, 1]);

  it('are known from both ends; loops and ends that do not exist are not', () => {
    expect(graph.source).toHaveLength(4);
    expect([...edgesAt(graph, [0])]).toEqual([0, 2]);
    expect([...edgesAt(graph, [5])]).toEqual([]);
  });

  it('of a focus and a selection are shown, of all features only when asked', () => {
    const all = () => true;
    expect([...edgesToShow(graph, null, null, false, all)]).toEqual([]);
    expect([...edgesToShow(graph, 4, null, false, all)]).toEqual([3]);
    expect([...edgesToShow(graph, 4, Uint32Array.from([1]), false, all)]).toEqual([0, 1, 3]);
    expect([...edgesToShow(graph, null, null, true, all)]).toHaveLength(4);
    expect([...edgesToShow(graph, null, null, true, (i) => i !== 0)]).toEqual([1, 3]);
    expect([...edgesWithin(graph, [0, 1, 2])]).toEqual([0, 1, 2]);
  });
});

describe('picking', () => {
  it('takes the id that is nearest to the middle', () => {
    const side = 15;
    const pixels = new Uint8Array(4 * side * side);
    const put = (x: number, y: number, id: number) =>
      pixels.set([id & 255, (id >> 8) & 255, id >> 16, 255], 4 * (y * side + x));
    expect(nearestId(pixels, side)).toBe(0);
    put(1, 1, 7);
    expect(nearestId(pixels, side)).toBe(7);
    put(9, 8, 131_072);
    expect(nearestId(pixels, side)).toBe(131_072);
    put(7, 7, 65_536 * 3 + 5);
    expect(nearestId(pixels, side)).toBe(65_536 * 3 + 5);
  });
});
