/** What the server's answers look like: generated from its OpenAPI document, and named as it names them. */
import type { components } from '../../generated/schema';

type Schemas = components['schemas'];

export type Scalar = string | number | boolean | null | Scalar[];
export type Facts = Record<string, Scalar>;

/** The schema with members that the document leaves open said more closely. */
type Closer<Name extends keyof Schemas, Members> = Omit<Schemas[Name], keyof Members> & Members;

export type Basis = Schemas['Basis'];
export type Health = Schemas['Health'];
export type ColumnInfo = Schemas['ColumnInfo'];
export type AnalysisState = Schemas['AnalysisState'];
export type ProjectionInfo = Closer<'ProjectionInfo', { quality: Record<string, number | null>[] | null }>;
export type SaeSummary = Closer<'SaeSummary', { identity: Facts }>;
export type SaeList = Closer<'SaeList', { saes: SaeSummary[] }>;
export type SaeDetail = Closer<'SaeDetail', { identity: Facts; projections: ProjectionInfo[] }>;
export type CorpusInfo = Schemas['CorpusInfo'];
export type CorpusList = Schemas['CorpusList'];
export type Label = Schemas['Label'];
export type LabelHistory = Schemas['LabelHistory'];
export type LabelNew = Partial<Schemas['LabelNew']> & Pick<Schemas['LabelNew'], 'by'>;
export type Category = Schemas['Category'];
export type CategoryList = Schemas['CategoryList'];
export type Example = Closer<'ContextExample', { metadata: Facts }>;
export type ExampleList = Closer<'ExampleList', { examples: Example[] }>;
export type HistogramInfo = Schemas['HistogramInfo'];
export type TokenEffect = Schemas['Effect'];
export type MissingPart = Schemas['MissingPart'];
export type DocumentView = Closer<
  'DocumentView',
  {
    metadata: Facts;
    features: readonly Schemas['DocumentFeature'][] | null;
    spans: readonly (readonly [number, number])[] | null;
  }
>;
export type SnippetPart = Schemas['SearchSegment'];
export type SearchHit = Schemas['SearchHit'];
export type SearchResult = Schemas['SearchResult'];
export type FeatureSet = Schemas['FeatureSet'];
export type CommitInfo = Schemas['CommitInfo'];

export interface BundleExamples {
  top: Example[] | null;
  quantiles: Example[] | null;
  random: Example[] | null;
}

export type FeatureBundle = Closer<
  'FeatureBundle',
  { identity: Facts; columns: Facts; examples: BundleExamples | null }
>;

/** The envelope of every table: the rows come beside it in JSON, and as Arrow columns otherwise. */
export type TableMeta = Omit<Schemas['Table'], 'rows'>;

export type TableAnswer<Row = Record<string, Scalar>> = TableMeta & { rows: Row[] };
