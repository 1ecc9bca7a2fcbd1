/** The edges that are drawn, on the graphics card. */
import { BufferAttribute, BufferGeometry, Color, GLSL3, LineSegments, ShaderMaterial, Sphere, Vector3 } from 'three';
import type { Graph } from './edges';
import { EDGE_FRAGMENT, EDGE_VERTEX } from './shaders';

/** Up to so many edges are drawn strongly, in front of the points. */
const FEW = 2000;

export class EdgeLines {
  readonly object: LineSegments;
  readonly #material: ShaderMaterial;
  #geometry = new BufferGeometry();
  #isFlat = true;
  n = 0;

  constructor() {
    this.#material = new ShaderMaterial({
      glslVersion: GLSL3,
      vertexShader: EDGE_VERTEX,
      fragmentShader: EDGE_FRAGMENT,
      uniforms: { uColour: { value: new Color() }, uAlpha: { value: 0.5 }, uFront: { value: 0 } },
      transparent: true,
      depthWrite: false,
    });
    this.object = new LineSegments(this.#geometry, this.#material);
    this.object.frustumCulled = false;
    this.object.matrixAutoUpdate = false;
    this.object.renderOrder = 1;
    this.object.visible = false;
  }

  /** On flat maps edges always lie below the points. */
  setFlat(isFlat: boolean): void {
    this.#isFlat = isFlat;
  }

  setColour(red: number, green: number, blue: number): void {
    (this.#material.uniforms.uColour.value as Color).setRGB(red, green, blue);
  }

  /** Draw these edges of these graphs; many edges are drawn fainter, so that they do not hide the points. */
  show(parts: readonly { graph: Graph; edges: Uint32Array; places: Float32Array }[]): void {
    this.n = parts.reduce((sum, { edges }) => sum + edges.length, 0);
    const places = new Float32Array(6 * this.n);
    const strengths = new Float32Array(2 * this.n);
    let at = 0;
    for (const part of parts) {
      let [low, high] = [Infinity, -Infinity];
      for (const weight of part.graph.weight) [low, high] = [Math.min(low, weight), Math.max(high, weight)];
      for (const e of part.edges) {
        const [from, to] = [3 * part.graph.source[e], 3 * part.graph.target[e]];
        places.set(part.places.subarray(from, from + 3), 6 * at);
        places.set(part.places.subarray(to, to + 3), 6 * at + 3);
        strengths.fill(high > low ? (part.graph.weight[e] - low) / (high - low) : 1, 2 * at, 2 * at + 2);
        at += 1;
      }
    }
    this.#geometry.dispose();
    this.#geometry = new BufferGeometry();
    this.#geometry.setAttribute('position', new BufferAttribute(places, 3));
    this.#geometry.setAttribute('aStrength', new BufferAttribute(strengths, 1));
    this.#geometry.boundingSphere = new Sphere(new Vector3(), 1);
    this.object.geometry = this.#geometry;
    const isFront = !this.#isFlat && this.n <= FEW;
    this.#material.uniforms.uFront.value = isFront ? 1 : 0;
    this.object.renderOrder = isFront ? 3 : 1;
    this.#material.uniforms.uAlpha.value = this.n > 20_000 ? 0.22 : this.n > FEW ? 0.5 : 0.85;
  }

  dispose(): void {
    this.#geometry.dispose();
    this.#material.dispose();
  }
}
