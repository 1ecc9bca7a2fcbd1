/** The values of a feature and the rows behind them: what the brush covers is what the examples show. */

import { useCallback, useMemo, useState } from 'react';

import type { FeatureBundle } from '../../core/types';
import { Histogram } from '../../plots/Histogram';
import { brushOver, brushRange, type Brush } from '../../plots/histogram';
import { count } from '../../core/numbers';
import { Absent, Section } from '../../ui/section/Section';
import { useOwn } from '../../ui/useOwn';
import { Examples } from './Examples';
import { readRange, writeRange, type Range } from './picks';

const ALL: Range = { low: null, high: null };

function readScale(text: string | null): 'linear' | 'log' {
  return text === 'log' ? 'log' : 'linear';
}

export interface ActivationsProps {
  readonly bundle: FeatureBundle;
  readonly reasons: { readonly histograms: string; readonly examples: string };
  readonly onDocument: (document: string, position: number) => void;
}

export function Activations({ bundle, reasons, onDocument }: ActivationsProps) {
  const [scale, setScale] = useOwn('scale', readScale, String);
  const [asked, setAsked] = useOwn('values', readRange, writeRange);
  const [mark, setMark] = useState<number | null>(null);
  const { histograms } = bundle;
  const data = histograms?.[scale] ?? null;
  const brush = useMemo(() => data && brushOver(data, asked.low, asked.high), [data, asked]);
  const range = useMemo(() => (data ? brushRange(data, brush) : ALL), [data, brush]);
  const changeScale = useCallback(
    (next: 'linear' | 'log') => {
      // Bins of the two scales have other edges: what was brushed cannot be said in those of the other.
      setScale(next);
      setAsked(ALL);
    },
    [setScale, setAsked],
  );
  const changeBrush = useCallback((_: Brush | null, values: Range) => setAsked(values), [setAsked]);
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
