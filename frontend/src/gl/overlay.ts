/** What is written and drawn over the points: names, rings around points, captions of layers, the shape of a lasso. */
import type { Placed } from './labels';
import type { Point } from './lasso';

export interface Inks {
  readonly ground: string;
  readonly text: string;
  readonly faint: string;
  readonly mark: string;
  readonly accent: string;
  readonly font: string;
}

export interface Ring {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly isStrong: boolean;
}

export interface Caption {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly align: 'left' | 'center';
}

export interface Drawing {
  readonly names: readonly Placed[];
  readonly rings: readonly Ring[];
  readonly captions: readonly Caption[];
  readonly shape: readonly Point[];
}

/** Names of groups are larger and stronger than those of single features. */
export const NAME_SIZES = { group: 13, feature: 11 } as const;

export class Overlay {
  readonly canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #widths = new Map<string, number>();
  #ratio = 1;
  inks: Inks;

  constructor(inks: Inks) {
    this.canvas = document.createElement('canvas');
    this.canvas.setAttribute('aria-hidden', 'true');
    const context = this.canvas.getContext('2d');
    if (!context) throw new Error('The browser draws no pictures');
    this.#context = context;
    this.inks = inks;
  }

  resize(width: number, height: number, ratio: number): void {
    this.#ratio = ratio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
  }

  /** Pixels that a text takes. */
  measure(text: string, size: number, weight: number): number {
    const key = `${size} ${weight} ${text}`;
    let width = this.#widths.get(key);
    if (width === undefined) {
      if (this.#widths.size > 5000) this.#widths.clear();
      this.#context.font = `${weight} ${size}px ${this.inks.font}`;
      width = this.#context.measureText(text).width;
      this.#widths.set(key, width);
    }
    return width;
  }

  draw({ names, rings, captions, shape }: Drawing): void {
    const context = this.#context;
    context.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.lineJoin = 'round';
    for (const { text, x, y, align } of captions) this.#write(text, x, y, { size: 13, weight: 600, align });
    for (const ring of rings) this.#ring(ring);
    for (const name of names) {
      const isGroup = name.height > NAME_SIZES.feature + 6;
      const style = { size: isGroup ? NAME_SIZES.group : NAME_SIZES.feature, weight: isGroup ? 600 : 400 };
      this.#write(name.text, name.left + name.width / 2, name.top + name.height / 2, { ...style, align: 'center' });
    }
    if (shape.length > 1) this.#outline(shape);
  }

  #write(text: string, x: number, y: number, style: { size: number; weight: number; align: 'left' | 'center' }): void {
    const context = this.#context;
    context.font = `${style.weight} ${style.size}px ${this.inks.font}`;
    context.textAlign = style.align;
    context.textBaseline = 'middle';
    context.strokeStyle = this.inks.ground;
    context.lineWidth = 3.5;
    context.globalAlpha = 0.88;
    context.strokeText(text, x, y);
    context.globalAlpha = 1;
    context.fillStyle = this.inks.text;
    context.fillText(text, x, y);
  }

  #ring({ x, y, radius, isStrong }: Ring): void {
    const context = this.#context;
    for (const [colour, width] of [
      [this.inks.ground, 4.5],
      [isStrong ? this.inks.accent : this.inks.mark, 2],
    ] as const) {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    }
  }

  #outline(shape: readonly Point[]): void {
    const context = this.#context;
    context.beginPath();
    shape.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.closePath();
    context.fillStyle = this.inks.accent;
    context.globalAlpha = 0.12;
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = this.inks.accent;
    context.lineWidth = 1.5;
    context.setLineDash([5, 3]);
    context.stroke();
    context.setLineDash([]);
  }
}
