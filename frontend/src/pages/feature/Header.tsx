/** Which feature this is, what it is called, and the ways to the others. */

import { useId, useState, type FormEvent } from 'react';

import { setFocus } from '../../core/state';
import type { FeatureBundle } from '../../core/types';
import { pathTo } from '../../core/url';
import { Go } from '../../ui/Go';
import { TokenNames } from '../../ui/tokens/TokenNames';
import { CategoryChip } from '../../ui/labels/CategoryChoice';
import { identityLine } from '../../core/identity';
import { count, percent } from '../../core/numbers';
import styles from './feature.module.css';
import { idFrom, type Step } from './order';

/** Features that fire at more than one in ten rows say little about any of them. */
const DENSE = 0.1;

export interface HeaderProps {
  readonly sae: string;
  readonly feature: number;
  readonly n: number;
  readonly bundle: FeatureBundle | null;
  readonly steps: Step;
  readonly orderName: string;
  readonly colours: ReadonlyMap<string, string>;
  readonly onGo: (feature: number) => void;
  readonly onRandom: () => void;
}

export function featurePath(sae: string, feature: number): string {
  return pathTo(sae, `f/${feature}`);
}

export function Header(props: HeaderProps) {
  const { sae, feature, bundle, colours } = props;
  return (
    <header className={styles.header}>
      <div className={styles.titles}>
        <h1>
          Feature {feature}
          <span className={styles.of}>
            {' '}
            of <bdi>{sae}</bdi>
          </span>
        </h1>
        <Named bundle={bundle} colours={colours} />
        <p className={styles.identity}>
          {bundle ? <bdi>{identityLine(bundle.identity, bundle.identity_digest)}</bdi> : '\u00a0'}
        </p>
      </div>
      <Steps {...props} />
    </header>
  );
}

/** What a person called it; where no one did, what was said by an explainer, marked as such. */
export function nameOf(bundle: FeatureBundle): { text: string; from: 'label' | 'explanation' } | null {
  const label = bundle.labels.current.find((each) => each.text);
  if (label?.text) return { text: label.text, from: 'label' };
  const said = bundle.explanations.find((each) => each.text);
  return said?.text ? { text: said.text, from: 'explanation' } : null;
}

function Named({ bundle, colours }: { bundle: FeatureBundle | null; colours: ReadonlyMap<string, string> }) {
  const name = bundle ? nameOf(bundle) : null;
  const density = bundle && typeof bundle.stats?.density === 'number' ? bundle.stats.density : null;
  const categories = [...new Set(bundle?.labels.current.flatMap(({ category }) => (category ? [category] : [])))];
  return (
    <div className={styles.named}>
      <p className={name?.from === 'explanation' ? styles.said : styles.label} dir="auto" title={name?.text}>
        {name ? name.text : <span className={styles.none}>{bundle ? 'no label yet' : '\u00a0'}</span>}
      </p>
      {bundle?.headline.length ? (
        <p className={styles.headline}>
          <span className={styles.of}>fires on</span> <TokenNames tokens={bundle.headline} />
        </p>
      ) : null}
      <span className={styles.badges}>
        {bundle?.is_dead ? <span className={styles.dead}>dead: never fires</span> : null}
        {density !== null && density > DENSE ? (
          <span className={styles.dense}>dense: fires at {percent(density)} of rows</span>
        ) : null}
        {bundle?.labels.current.some((label) => label.identity_changed) ? (
          <span className={styles.dense} title="The SAE has another identity now than when it was labelled">
            labelled under another identity
          </span>
        ) : null}
        {categories.map((category) => (
          <CategoryChip key={category} name={category} colour={colours.get(category) ?? null} />
        ))}
      </span>
    </div>
  );
}

function Steps(props: HeaderProps) {
  const { sae, n, steps, orderName, onGo, onRandom } = props;
  const place =
    props.feature >= n
      ? '\u00a0'
      : steps.place === null
        ? `not among the ${count(steps.total)} that the filters let through`
        : `${count(steps.place)} of ${count(steps.total)} ${orderName}`;
  return (
    <nav className={styles.steps} aria-label="Features">
      <StepLink sae={sae} to={steps.previous} text="‹ Previous" keyName="[" />
      <StepLink sae={sae} to={steps.next} text="Next ›" keyName="]" />
      <button type="button" onClick={onRandom}>
        Random
      </button>
      <Jump n={n} onGo={onGo} />
      <p className={styles.place}>
        <span title={place}>{place}</span>
        {(['explore', 'map'] as const).map((page) => (
          <Go key={page} to={pathTo(sae, page)} onClick={() => setFocus(props.feature)}>
            {page === 'map' ? 'On the map' : 'In the table'}
          </Go>
        ))}
      </p>
    </nav>
  );
}

function StepLink(props: { sae: string; to: number | null; text: string; keyName: string }) {
  const { sae, to, text, keyName } = props;
  if (to === null) {
    return (
      <span className={styles.stepOff} aria-disabled="true">
        {text}
      </span>
    );
  }
  return (
    <Go
      to={featurePath(sae, to)}
      className={styles.step}
      aria-keyshortcuts={keyName}
      title={`Feature ${to} (key ${keyName})`}
    >
      {text}
    </Go>
  );
}

/** A field that takes a feature's id and goes there on Enter. */
export function Jump({ n, onGo, name = 'Go to id' }: { n: number; onGo: (feature: number) => void; name?: string }) {
  const id = useId();
  const [text, setText] = useState('');
  const [problem, setProblem] = useState('');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const found = idFrom(text, n);
    setProblem(typeof found === 'string' ? found : '');
    if (typeof found === 'string') return;
    setText('');
    onGo(found);
  };
  return (
    <form className={styles.jump} onSubmit={submit}>
      <label htmlFor={id}>{name}</label>
      <input
        id={id}
        inputMode="numeric"
        autoComplete="off"
        size={7}
        value={text}
        aria-invalid={problem ? true : undefined}
        aria-describedby={`${id}-problem`}
        onChange={(event) => {
          setText(event.target.value);
          setProblem('');
        }}
      />
      <span id={`${id}-problem`} role="alert" className={styles.problem}>
        {problem}
      </span>
    </form>
  );
}
