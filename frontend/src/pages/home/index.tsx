/** Everything in the atlas: its SAEs and corpora, what is known about them, and what is missing. */
import { useEffect } from 'react';
import { segment } from '../../core/api';
import { linkTo } from '../../core/history';
import { byName, identityText, scalarText } from '../../core/identity';
import { reportLines } from '../../core/reportCard';
import { app, patch } from '../../core/state';
import type { SaeDetail, SaeList, SaeSummary } from '../../core/types';
import { pathTo } from '../../core/url';
import { plural } from '../../core/numbers';
import { Failure } from '../../ui/Failure';
import { Go } from '../../ui/Go';
import { Missing } from '../../ui/Missing';
import { useReady } from '../../ui/ready';
import { useJson } from '../../ui/useJson';
import styles from './home.module.css';

interface CorpusInfo {
  name: string;
  n_documents: number;
  n_rows: number;
  metadata_columns: string[];
  has_text: boolean;
  has_tokens: boolean;
  saes: string[];
}

/** A part of what could be known, as a bar with its number. */
function Coverage({ name, n, total }: { name: string; n: number; total: number }) {
  const share = total ? n / total : 0;
  return (
    <div className={styles.coverage}>
      <span>{name}</span>
      <span className={styles.track} aria-hidden="true">
        <span className={styles.fill} style={{ width: `${share * 100}%` }} />
      </span>
      <span>
        {scalarText(n)} <span className="muted">of {scalarText(total)}</span>
      </span>
    </div>
  );
}

/** What the SAE came without, in a sentence. */
function absentWords(detail: SaeDetail): string {
  const absent = [
    detail.has_activations ? '' : 'activations',
    detail.has_tokens ? '' : 'tokens',
    detail.has_weights ? '' : 'weights',
    detail.projections.length ? '' : 'map',
  ].filter(Boolean);
  return absent.length ? `No ${absent.join(', no ')}` : 'Activations, tokens, weights and a map are here';
}

function Details({ detail }: { detail: SaeDetail }) {
  const n_current = detail.analyses.filter(({ state }) => state === 'current').length;
  const lines = detail.report_card ? reportLines(detail.report_card) : [];
  return (
    <>
      <section className={styles.block} aria-label="Coverage">
        <Coverage name="Labelled" n={detail.n_labelled} total={detail.n_features} />
        <Coverage name="Explained" n={detail.n_explained} total={detail.n_features} />
        <Coverage name="Analyses" n={n_current} total={detail.analyses.length} />
        <p className="muted">{absentWords(detail)}</p>
      </section>
      {lines.length ? (
        <section className={styles.block} aria-label="Report card">
          <dl className={styles.lines}>
            {lines.map(({ name, value, meaning }) => (
              <div key={name} title={meaning}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </section>
      ) : null}
      <Missing detail={detail} isOpen />
    </>
  );
}

function SaeCard({ sae }: { sae: SaeSummary }) {
  const { data, error } = useJson<SaeDetail>(`/saes/${segment(sae.name)}`);
  return (
    <article className={styles.card}>
      <header className={styles.head}>
        <h3 dir="auto">
          <Go to={pathTo(sae.name, 'explore')} isFresh>
            {sae.name}
          </Go>
        </h3>
        <span className="muted" dir="auto">
          {identityText(sae)}
        </span>
        <span className={styles.links}>
          <Go to={pathTo(sae.name, 'explore')} isFresh className="button">
            Table
          </Go>
          {data?.projections.length ? (
            <Go to={pathTo(sae.name, 'map')} isFresh className="button">
              Map
            </Go>
          ) : null}
        </span>
      </header>
      <p>
        {plural(sae.n_features, 'feature')}
        {sae.is_width_known ? '' : ' (as far as data names them)'}
        {sae.has_activations
          ? `, run on ${plural(sae.n_rows ?? 0, 'row')} of ${plural(sae.n_documents ?? 0, 'document')}: ${sae.corpus}`
          : ', no activations'}
      </p>
      {error ? <Failure error={error} /> : null}
      {data ? <Details detail={data} /> : error ? null : <p className="muted">Loading …</p>}
    </article>
  );
}

function FirstDocuments({ corpus }: { corpus: string }) {
  const { data } = useJson<{ rows: { id: string }[] }>(`/corpora/${segment(corpus)}/documents`, { limit: 6 });
  if (!data?.rows.length) return null;
  return (
    <p>
      First documents:{' '}
      {data.rows.map(({ id }, index) => (
        <span key={id}>
          {index ? ', ' : ''}
          <a href={`/c/${segment(corpus)}/d/${segment(id)}`} dir="auto">
            {id}
          </a>
        </span>
      ))}
    </p>
  );
}

function Corpora() {
  const { data, error } = useJson<{ corpora: CorpusInfo[] }>('/corpora');
  if (error) return <Failure error={error} />;
  if (!data) return <p className="muted">Loading …</p>;
  if (!data.corpora.length)
    return <p className="muted">This atlas holds no corpus: SAEs without activations need none.</p>;
  return data.corpora.map((corpus) => (
    <article key={corpus.name} className={styles.card}>
      <h3 dir="auto">{corpus.name}</h3>
      <p>
        {plural(corpus.n_documents, 'document')}, {plural(corpus.n_rows, 'row')}
        {corpus.has_text ? '' : ', no text'}
        {corpus.has_tokens ? '' : ', no tokens'}
      </p>
      {corpus.metadata_columns.length ? <p className="muted">Metadata: {corpus.metadata_columns.join(', ')}</p> : null}
      <FirstDocuments corpus={corpus.name} />
    </article>
  ));
}

/** The way back to where someone was. */
function Resume() {
  const { sae } = app.getState();
  if (sae === null) return null;
  return (
    <p>
      <a href={linkTo(pathTo(sae, 'explore'))}>Back to {sae}, as it was</a>
    </p>
  );
}

export default function Home() {
  const { data, error } = useJson<SaeList>('/saes');
  useReady('home', data !== null);
  useEffect(() => {
    document.title = 'saeatlas';
    if (data && app.getState().commit === null) patch({ commit: data.commit });
  }, [data]);
  return (
    <main className={`page ${styles.home}`}>
      <Resume />
      <h1>What this atlas holds</h1>
      <h2>SAEs</h2>
      {error ? <Failure error={error} /> : null}
      {byName(data?.saes ?? []).map((sae) => (
        <SaeCard key={sae.name} sae={sae} />
      ))}
      {data && !data.saes.length ? (
        <p className="notice">
          This atlas holds no SAE yet. <code>saeatlas import</code> brings activations or weights in;{' '}
          <code>saeatlas demo</code> makes a small atlas to look at.
        </p>
      ) : null}
      <h2>Corpora</h2>
      <Corpora />
    </main>
  );
}
