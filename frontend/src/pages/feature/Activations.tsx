/** The values of a feature and the rows behind them: what the brush covers is what the examples show. */

import { useCallback, useState } from 'react';

import type { FeatureBundle } from '../../core/types';
import { Histogram } from '../../plots/Histogram';
import type { Brush } from '../../plots/histogram';
import { count } from '../../core/numbers';
import { Absent, Section } from '../../ui/section/Section';
import { Examples } from './Examples';
import type { Range } from './picks';

const ALL: Range = { low: null, high: null };

export interface ActivationsProps {
  readonly bundle: FeatureBundle;
  readonly reasons: { readonly histograms: string; readonly examples: string };
  readonly onDocument: (document: string, position: number) => void;
}

export function Activations({ bundle, reasons, onDocument }: ActivationsProps) {
  const [scale, setScale] = useState<'linear' | 'log'>('linear');
  const [brush, setBrush] = useState<Brush | null>(null);
  const [range, setRange] = useState<Range>(ALL);
  const [mark, setMark] = useState<number | null>(null);
  const { histograms } = bundle;
  const changeScale = useCallback((next: 'linear' | 'log') => {
    // Bins of the two scales have other edges: what was brushed cannot be said in those of the other.
    setScale(next);
    setBrush(null);
    setRange(ALL);
  }, []);
  const changeBrush = useCallback((next: Brush | null, values: Range) => {
    setBrush(next);
    setRange(values);
  }, []);
  if (bundle.is_dead) {
    return (
      <Section title="Activation values">
        <Absent>
          It is active at none of the {count(bundle.basis?.n_rows)} rows: there is nothing to draw, and there are no
          examples.
        </Absent>
      </Section>
    );
  }
  return (
    <>
      <Section title="Activation values">
        {histograms ? (
          <Histogram
            title="Active values"
            isTitleHidden
            linear={histograms.linear}
            log={histograms.log}
            nActive={histograms.linear.n_active}
            nInactive={histograms.linear.n_inactive}
            brush={brush}
            scale={scale}
            mark={mark}
            onScale={changeScale}
            onBrush={changeBrush}
          />
        ) : (
          <Absent>{reasons.histograms}</Absent>
        )}
      </Section>
      <Examples
        key={`${bundle.sae}/${bundle.feature}`}
        bundle={bundle}
        reason={reasons.examples}
        range={range}
        onPoint={setMark}
        onDocument={onDocument}
      />
    </>
  );
}
