/** Which SAE is on show, what is known about it, and which others there are. */
import { byName, identityText, scalarText, statedFacts } from '../../core/identity';
import { reportLines } from '../../core/reportCard';
import type { SaeDetail, SaeList } from '../../core/types';
import { pathTo } from '../../core/url';
import { plural } from '../../core/numbers';
import { Failure } from '../Failure';
import { Go } from '../Go';
import { Missing } from '../Missing';
import { Popover } from '../Popover';
import { useApp } from '../useApp';
import { useJson } from '../useJson';
import styles from './picker.module.css';

function Card({ detail }: { detail: SaeDetail }) {
  const lines = detail.report_card ? reportLines(detail.report_card) : [];
  return (
    <section className={styles.card} aria-label={`About ${detail.name}`}>
      <h3 dir="auto">{detail.name}</h3>
      <dl>
        {statedFacts(detail.identity)
          .filter(([name]) => name !== 'name' && name !== 'width')
          .map(([name, value]) => (
            <Fact
              key={name}
              name={name.replaceAll('_', ' ')}
              value={shortened(scalarText(value))}
              title={scalarText(value)}
            />
          ))}
        <Fact
          name="features"
          value={scalarText(detail.n_features) + (detail.is_width_known ? '' : ', as far as data names them')}
        />
        <Fact name="corpus" value={detail.corpus ?? 'none'} />
        <Fact name="rows" value={scalarText(detail.n_rows)} />
        <Fact name="documents" value={scalarText(detail.n_documents)} />
        <Fact name="labelled" value={scalarText(detail.n_labelled)} />
        <Fact name="explained" value={scalarText(detail.n_explained)} />
        <Fact name="digest" value={shortened(detail.identity_digest)} />
      </dl>
      {lines.length ? (
        <>
          <h3>Report card</h3>
          <dl>
            {lines.map(({ name, value, meaning }) => (
              <Fact key={name} name={name} value={value} title={meaning} />
            ))}
          </dl>
        </>
      ) : (
        <p className="muted">There is no report card: the analysis &quot;report-card&quot; is not computed.</p>
      )}
      <Missing detail={detail} />
    </section>
  );
}

/** Digests are recognised by their beginning. */
function shortened(text: string): string {
  return /^[0-9a-f]{40,}$/.test(text) ? text.slice(0, 16) : text;
}

function Fact({ name, value, title = value }: { name: string; value: string; title?: string }) {
  return (
    <div className={styles.fact}>
      <dt>{name}</dt>
      <dd dir="auto" title={title}>
        {value}
      </dd>
    </div>
  );
}

function Choices({ close }: { close: () => void }) {
  const sae = useApp((state) => state.sae);
  const detail = useApp((state) => state.detail);
  const { data, error, isLoading } = useJson<SaeList>('/saes');
  return (
    <div className={styles.choices}>
      <nav aria-label="SAEs" className={styles.list}>
        <h3>SAEs</h3>
        {isLoading ? <p className="muted">Loading …</p> : null}
        {error ? <Failure error={error} /> : null}
        {data && !data.saes.length ? <p className="muted">There is none yet.</p> : null}
        {byName(data?.saes ?? []).map((each) => (
          <Go
            key={each.name}
            to={pathTo(each.name, 'explore')}
            isFresh={each.name !== sae}
            className={styles.choice}
            aria-current={each.name === sae ? 'true' : undefined}
            onClick={close}
          >
            <strong dir="auto">{each.name}</strong>
            <span className="muted">
              {plural(each.n_features, 'feature')}
              {each.has_activations ? `, ${plural(each.n_rows ?? 0, 'row')} of ${each.corpus}` : ', no activations'}
            </span>
            <span className="muted" dir="auto">
              {identityText(each)}
            </span>
          </Go>
        ))}
        <Go to="/" isFresh onClick={close} className={styles.all}>
          Everything in this atlas
        </Go>
      </nav>
      {detail ? <Card detail={detail} /> : null}
    </div>
  );
}

export function SaePicker() {
  const sae = useApp((state) => state.sae);
  const corpus = useApp((state) => state.detail?.corpus ?? null);
  return (
    <Popover
      label="About the SAE, and other SAEs"
      face={
        <span className={styles.face}>
          <span className="ellipsis" dir="auto">
            {sae ?? 'Choose an SAE'}
          </span>
          {corpus === null ? null : <span className="muted ellipsis">{corpus}</span>}
          {sae === null ? null : <span className="visually-hidden">: facts, report card and other SAEs</span>}
          <span aria-hidden="true">▾</span>
        </span>
      }
    >
      {(close) => <Choices close={close} />}
    </Popover>
  );
}
