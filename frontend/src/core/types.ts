/** What the server's answers look like: the names are those of its OpenAPI schemas. */

export type Scalar = string | number | boolean | null | Scalar[];

export interface Basis {
  n_rows: number;
  exact: boolean;
  sampled: string | null;
}

/** The envelope of every table: the rows come beside it in JSON, and as Arrow columns otherwise. */
export interface TableMeta {
  commit: number;
  sae: string | null;
  basis: Basis | null;
  total: number;
  next: string | null;
  extra?: Record<string, unknown> | null;
}

export interface TableAnswer<Row = Record<string, Scalar>> extends TableMeta {
  rows: Row[];
}

export interface Health {
  status: string;
  version: string;
  commit: number;
  atlas_id: string;
  read_only: boolean;
  token_required: boolean;
  uptime_seconds: number;
}

export interface SaeSummary {
  name: string;
  n_features: number;
  is_width_known: boolean;
  has_activations: boolean;
  n_rows: number | null;
  n_documents: number | null;
  corpus: string | null;
  identity: Record<string, Scalar>;
  identity_digest: string;
}

export interface SaeList {
  commit: number;
  saes: SaeSummary[];
}

export interface ColumnInfo {
  name: string;
  analysis: string;
  column: string;
  type: 'number' | 'integer' | 'text' | 'boolean' | 'list';
  description: string | null;
}

export interface AnalysisState {
  name: string;
  state: 'current' | 'stale' | 'absent';
  reason: string | null;
  axis: string | null;
}

export interface ProjectionInfo {
  name: string;
  dimensions: number;
  source: string;
  quality: Record<string, number | null>[] | null;
}

export interface SaeDetail extends SaeSummary {
  commit: number;
  labels_position: number;
  report_card: Record<string, unknown> | null;
  columns: ColumnInfo[];
  analyses: AnalysisState[];
  projections: ProjectionInfo[];
  clusterings: { name: string; source: string }[];
  graphs: { name: string; n_edges: number }[];
  metadata_columns: string[];
  has_tokens: boolean;
  has_weights: boolean;
  explanation_sets: string[];
  n_explained: number;
  n_labelled: number;
}

export interface Label {
  id: string;
  at: string;
  action: 'label' | 'retract';
  by: string;
  source: string | null;
  feature?: number | null;
  features?: number[] | null;
  n_features: number;
  text: string | null;
  category: string | null;
  tags: string[];
  notes: string | null;
  confidence: number | null;
  supersedes: string[];
  superseded_by: string | null;
  is_retracted: boolean;
  identity_changed: boolean;
}

export interface LabelNew {
  text?: string | null;
  by: string;
  category?: string | null;
  tags?: string[];
  notes?: string | null;
  confidence?: number | null;
  source?: string;
  action?: 'label' | 'retract';
  supersedes?: string[];
  features?: number[];
}

export interface LabelHistory {
  commit: number;
  labels_position: number;
  current: Label[];
  history: Label[];
}

export interface Category {
  name: string;
  colour: string | null;
  description: string | null;
  parent: string | null;
}

export interface Example {
  row: number;
  document: string;
  document_index: number;
  position: number;
  value: number;
  stratum: number | null;
  rank: number;
  first_position: number;
  tokens: string[];
  values: (number | null)[];
  visible: (boolean | null)[];
  metadata: Record<string, Scalar>;
  window_start: number | null;
  context_available: boolean;
  reason: string | null;
  is_natural_text: boolean;
}

export interface ExampleList {
  commit: number;
  basis: Basis;
  pick: string;
  examples: Example[];
}

export interface HistogramInfo {
  scale: 'linear' | 'log';
  edges: number[];
  counts: number[];
  n_active: number;
  n_inactive: number;
  basis: Basis | null;
}

export interface TokenEffect {
  token: number;
  string: string | null;
  effect: number;
}

export interface Breakdown {
  column: string;
  [field: string]: unknown;
}

export interface MissingPart {
  part: string;
  analysis: string | null;
  state: string | null;
  reason: string;
}

export interface FeatureBundle {
  commit: number;
  labels_position: number;
  sae: string;
  feature: number;
  n_features: number;
  identity: Record<string, Scalar>;
  identity_digest: string;
  basis: Basis | null;
  stats: Record<string, Scalar> | null;
  columns: Record<string, Scalar>;
  histograms: { linear: HistogramInfo; log: HistogramInfo } | null;
  examples: { top: Example[] | null; quantiles: Example[] | null; random: Example[] | null } | null;
  tokens: Record<string, Scalar>[] | null;
  ngrams: Record<string, Scalar>[] | null;
  breakdowns: Breakdown[];
  neighbors: { feature: number; cosine: number; text: string | null }[] | null;
  coactive:
    | {
        feature: number;
        count: number;
        lift: number | null;
        pmi: number | null;
        jaccard: number | null;
        pearson: number | null;
        text: string | null;
      }[]
    | null;
  effects: { promoted: TokenEffect[]; suppressed: TokenEffect[] } | null;
  clusters: { name: string; cluster: number | null; path?: string | null; terms: string[]; size: number }[];
  explanations: { set: string; explainer: string | null; method: string | null; text: string | null }[];
  labels: { current: Label[]; n_history: number };
  is_dead: boolean | null;
  missing: MissingPart[];
}

export interface DocumentView {
  commit: number;
  corpus: string;
  document: string;
  index: number;
  n_rows: number;
  start: number;
  stop: number;
  text: string | null;
  metadata: Record<string, Scalar>;
  tokens: string[] | null;
  rows: number[];
  reason: string | null;
  sae: string | null;
  activations: { feature: number[]; position: number[]; value: number[] } | null;
}

export interface SnippetPart {
  text: string;
  is_match: boolean;
}

export interface SearchHit {
  kind: 'features' | 'documents';
  sae: string | null;
  feature: number | null;
  corpus: string | null;
  document: string | null;
  score: number;
  where: string;
  snippet: SnippetPart[];
}

export interface SearchResult {
  commit: number;
  query: string;
  corrected: string | null;
  is_any: boolean;
  total: number;
  hits: SearchHit[];
  missing: { kind: 'features' | 'documents'; name: string; reason: string }[];
}

export interface StoredSet {
  set: string;
  n: number;
}

export interface CommitInfo {
  commit: number;
  [field: string]: unknown;
}
