/**
 * What lies under the pointer: the map is drawn once more, as large as it is on screen, with the id of each point as
 * its colour. That picture is made after the view changed and came to rest; asking it costs the reading of few pixels.
 */
import { nearestId } from './nearest';
import { NearestFilter, RGBAFormat, UnsignedByteType, WebGLRenderTarget, type WebGLRenderer } from 'three';

/** How far from the pointer a point may be, in pixels. */
const REACH = 7;

export class Picker {
  readonly #target = new WebGLRenderTarget(1, 1, {
    minFilter: NearestFilter,
    magFilter: NearestFilter,
    format: RGBAFormat,
    type: UnsignedByteType,
    generateMipmaps: false,
  });
  readonly #side = 2 * REACH + 1;
  readonly #pixels = new Uint8Array(4 * this.#side * this.#side);
  isFresh = false;
  #fence: WebGLSync | null = null;

  /** The picture no longer agrees with the view. */
  spoil(): void {
    this.isFresh = false;
  }

  /** Draw the ids, `draw` drawing the points and nothing else. */
  refresh(renderer: WebGLRenderer, width: number, height: number, draw: () => void): void {
    this.#target.setSize(width, height);
    renderer.setRenderTarget(this.#target);
    renderer.setClearColor(0x000000, 0);
    renderer.clear();
    draw();
    renderer.setRenderTarget(null);
    this.isFresh = true;
    const gl = renderer.getContext() as WebGL2RenderingContext;
    if (this.#fence) gl.deleteSync(this.#fence);
    this.#fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
  }

  /** Whether the picture is drawn: asking it before that waits for the graphics card. */
  isDrawn(renderer: WebGLRenderer): boolean {
    if (!this.isFresh) return false;
    if (!this.#fence) return true;
    const gl = renderer.getContext() as WebGL2RenderingContext;
    if (gl.getSyncParameter(this.#fence, gl.SYNC_STATUS) !== gl.SIGNALED) return false;
    gl.deleteSync(this.#fence);
    this.#fence = null;
    return true;
  }

  /** The id at a pixel from the left and the top, or of the point nearest to it within reach; 0 for none. */
  at(renderer: WebGLRenderer, x: number, y: number): number {
    const { width, height } = this.#target;
    if (!(x >= 0 && y >= 0 && x < width && y < height)) return 0;
    this.#pixels.fill(0);
    const left = Math.floor(x) - REACH;
    const bottom = height - 1 - Math.floor(y) - REACH;
    const gl = renderer.getContext();
    renderer.setRenderTarget(this.#target);
    // Read by WebGL itself: three.js refuses squares that reach over the border, where WebGL leaves pixels as they are.
    gl.readPixels(left, bottom, this.#side, this.#side, gl.RGBA, gl.UNSIGNED_BYTE, this.#pixels);
    renderer.setRenderTarget(null);
    return nearestId(this.#pixels, this.#side);
  }

  dispose(): void {
    this.#fence = null;
    this.#target.dispose();
  }
}
