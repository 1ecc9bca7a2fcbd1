/** The programs that draw points and edges. */

/**
 * A point's look is four bytes: its colour and what it is (see `Kind`). Sizes are in the unit of the map, so points
 * grow as one comes nearer, but never below `uLeast` pixels: what would be smaller is drawn fainter instead, so that a
 * far cloud has the brightness that it would have.
 */
export const POINT_VERTEX = /* glsl */ `
precision highp float;
in vec4 aLook;
in float aSize;
uniform float uScale;
uniform float uLeast;
uniform float uMost;
uniform float uFirst;
uniform float uAlpha;
uniform float uDim;
uniform vec2 uFog;
uniform vec3 uGround;
uniform vec3 uContext;
out vec4 vColour;
out float vKind;
out float vSize;
#ifdef PICK
flat out vec3 vId;
#endif

void main() {
  vec4 seen = modelViewMatrix * vec4(position, 1.0);
  gl_Position = projectionMatrix * seen;
  float depth = max(-seen.z, 1e-4);
  float kind = floor(aLook.a * 255.0 + 0.5);
  bool isContext = kind < 1.5;
  bool isMarked = kind > 3.5;
  // What is marked lies in front of all that is not, in its own order of depth.
  if (isMarked) gl_Position.z = 0.05 * (gl_Position.z + gl_Position.w) - gl_Position.w;
  float grow = isContext ? 0.75 : (isMarked ? 1.5 : 1.0);
  float wanted = uScale * grow * mix(0.5, 2.0, aSize * aSize) / depth;
  float least = isMarked ? uLeast * 2.2 : uLeast;
  vSize = clamp(wanted, least, uMost);
  gl_PointSize = vSize;
  vKind = kind;
  float thin = clamp((wanted * wanted) / (uLeast * uLeast), 0.35, 1.0);
  float alpha = isMarked ? 1.0 : (isContext ? 0.34 : uAlpha * uDim) * thin;
  float fog = uFog.y > uFog.x ? clamp((depth - uFog.x) / (uFog.y - uFog.x), 0.0, 1.0) : 0.0;
  vec3 colour = isContext ? uContext : aLook.rgb;
  vColour = vec4(mix(colour, uGround, isMarked ? 0.0 : 0.62 * fog), alpha);
#ifdef PICK
  float id = uFirst + float(gl_VertexID) + 1.0;
  vId = vec3(mod(id, 256.0), mod(floor(id / 256.0), 256.0), floor(id / 65536.0)) / 255.0;
#endif
}
`;

export const POINT_FRAGMENT = /* glsl */ `
precision highp float;
in vec4 vColour;
in float vKind;
in float vSize;
#ifdef PICK
flat in vec3 vId;
#endif
uniform vec3 uMark;
uniform vec3 uFound;
uniform float uSolid;
out vec4 pixel;

void main() {
  vec2 place = gl_PointCoord * 2.0 - 1.0;
  float radius = length(place);
  if (radius > 1.0 && vSize > 2.0) discard;
#ifdef PICK
  pixel = vec4(vId, 1.0);
#else
  float step1 = 2.0 / vSize;
  float cover = vSize > 2.0 ? 1.0 - smoothstep(1.0 - step1, 1.0, radius) : 1.0;
  // What is solid also hides what is behind its soft edge, so the edge is cut off where it would let that shine through.
  if (uSolid > 0.5) {
    if (cover < 0.5) discard;
    cover = 1.0;
  }
  vec3 colour = vColour.rgb;
  if (vKind > 2.5 && vKind < 3.5 && vSize > 4.5 && radius < 1.0 - 2.2 * step1) discard;
  if (vKind > 3.5) {
    float ring = smoothstep(1.0 - 2.6 * step1, 1.0 - 1.8 * step1, radius);
    colour = mix(colour, vKind > 4.5 ? uFound : uMark, ring);
  } else if (vSize > 5.0) {
    colour *= mix(1.0, 0.78, smoothstep(0.45, 1.0, radius));
  }
  pixel = vec4(colour, vColour.a * cover);
#endif
}
`;

/** Edges fade with their weight: `aStrength` from 0 to 1. */
export const EDGE_VERTEX = /* glsl */ `
precision highp float;
in float aStrength;
uniform float uFront;
out float vStrength;
void main() {
  vStrength = aStrength;
  gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
  // Few edges lie in front of all points but the marked ones, which they lead to.
  if (uFront > 0.5) gl_Position.z = 0.1 * (gl_Position.z + gl_Position.w) - gl_Position.w;
}
`;

export const EDGE_FRAGMENT = /* glsl */ `
precision highp float;
in float vStrength;
uniform vec3 uColour;
uniform float uAlpha;
out vec4 pixel;
void main() {
  pixel = vec4(uColour, uAlpha * mix(0.5, 1.0, vStrength));
}
`;
