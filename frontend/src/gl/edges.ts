/** A graph of features: who is next to whom, and which edges are drawn. Pure arithmetic. */

export interface Graph {
  readonly n_nodes: number;
  readonly source: Uint32Array;
  readonly target: Uint32Array;
  readonly weight: Float32Array;
  /** Edges at each node: `edges[starts[i]]` up to `edges[starts[i + 1]]`, indices into the lists above. */
  readonly starts: Uint32Array;
  readonly edges: Uint32Array;
}

/** Edges that are one pair of features are kept once each way they come; loops and ends that do not exist are left out. */
export function graphOf(
  n_nodes: number,
  source: ArrayLike<number>,
  target: ArrayLike<number>,
  weight: ArrayLike<number> | null,
): Graph {
  const kept: number[] = [];
  for (let e = 0; e < source.length; e++)
    if (source[e] !== target[e] && source[e] < n_nodes && target[e] < n_nodes) kept.push(e);
  const from = Uint32Array.from(kept, (e) => source[e]);
  const to = Uint32Array.from(kept, (e) => target[e]);
  const strength = Float32Array.from(kept, (e) => weight?.[e] ?? 1);
  const starts = new Uint32Array(n_nodes + 1);
  for (const ends of [from, to]) for (const node of ends) starts[node + 1] += 1;
  for (let i = 0; i < n_nodes; i++) starts[i + 1] += starts[i];
  const next = starts.slice(0, n_nodes);
  const edges = new Uint32Array(2 * from.length);
  for (let e = 0; e < from.length; e++) {
    edges[next[from[e]]++] = e;
    edges[next[to[e]]++] = e;
  }
  return { n_nodes, source: from, target: to, weight: strength, starts, edges };
}

/** Every edge at any of the nodes, each once. */
export function edgesAt(graph: Graph, nodes: Iterable<number>): Uint32Array {
  const found = new Set<number>();
  for (const node of nodes) {
    if (node >= graph.n_nodes) continue;
    for (let k = graph.starts[node]; k < graph.starts[node + 1]; k++) found.add(graph.edges[k]);
  }
  return Uint32Array.from(found).sort();
}

/** Edges with both ends among the nodes: what shows the structure of a large selection. */
export function edgesWithin(graph: Graph, nodes: ArrayLike<number>): Uint32Array {
  const isIn = new Uint8Array(graph.n_nodes);
  for (let i = 0; i < nodes.length; i++) if (nodes[i] < graph.n_nodes) isIn[nodes[i]] = 1;
  const found: number[] = [];
  for (let e = 0; e < graph.source.length; e++) if (isIn[graph.source[e]] && isIn[graph.target[e]]) found.push(e);
  return Uint32Array.from(found);
}

/** Above so many features only the edges among them are drawn, not those that lead away. */
const LARGE_SELECTION = 300;

/** The edges that are drawn for a focus and a selection, or all that join two visible features. */
export function edgesToShow(
  graph: Graph,
  focus: number | null,
  selection: Uint32Array | null,
  all: boolean,
  isVisible: (node: number) => boolean,
): Uint32Array {
  let found: Uint32Array;
  if (all) found = Uint32Array.from(graph.source, (_, e) => e);
  else {
    const ends = focus === null ? [] : [focus];
    if (selection && selection.length > LARGE_SELECTION) {
      const within = edgesWithin(graph, selection);
      found = Uint32Array.from(new Set([...edgesAt(graph, ends), ...within]));
    } else found = edgesAt(graph, [...ends, ...(selection ?? [])]);
  }
  return found.filter((e) => isVisible(graph.source[e]) && isVisible(graph.target[e]));
}
