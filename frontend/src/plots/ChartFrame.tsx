/** What stands around every chart: its title, what it counts, and the buttons that save it as a picture. */

import { createContext, useContext, useRef, useState, type ReactNode, type RefObject } from 'react';

import { saveChart, type PictureInfo } from '../core/chartPicture';
import styles from './plots.module.css';

/** What all charts of a page share in their pictures. */
export type PictureSource = Pick<PictureInfo, 'sae' | 'identity' | 'commit' | 'subtitle'> & {
  /** What the page is about, put before each title: "Feature 5". */
  readonly subject?: string;
};

const Source = createContext<PictureSource | null>(null);

export const PictureProvider = Source.Provider;

interface FrameProps {
  readonly title: string;
  /** What was counted, said beside the title and in the picture. */
  readonly n: string;
  /** What stands beside the title where the page says the rest already. */
  readonly shown?: string;
  readonly tools?: ReactNode;
  readonly children: (svg: RefObject<SVGSVGElement | null>) => ReactNode;
  /** The section's heading says the same: read it to those who cannot see, show it not twice. */
  readonly isTitleHidden?: boolean;
}

export function ChartFrame({ title, n, shown, tools, children, isTitleHidden = false }: FrameProps) {
  const svg = useRef<SVGSVGElement>(null);
  return (
    <figure className={styles.frame}>
      <figcaption className={styles.caption}>
        <span className={isTitleHidden ? 'visually-hidden' : styles.title}>{title}</span>
        <span className={styles.n}>{shown ?? n}</span>
        <span className={styles.tools}>
          {tools}
          <SaveButtons svg={svg} title={title} n={n} />
        </span>
      </figcaption>
      {children(svg)}
    </figure>
  );
}

function SaveButtons({ svg, title, n }: { svg: RefObject<SVGSVGElement | null>; title: string; n: string }) {
  const source = useContext(Source);
  const [failure, setFailure] = useState('');
  if (!source) return null;
  const { subject, ...shared } = source;
  const info: PictureInfo = { ...shared, title: subject ? `${subject}: ${title}` : title, n };
  const run = (kind: 'svg' | 'png') => () => {
    if (!svg.current) return;
    setFailure('');
    saveChart(svg.current, info, kind).catch((error: unknown) => setFailure(String(error)));
  };
  return (
    <>
      <button type="button" className={styles.save} aria-label={`Save ${title} as SVG`} onClick={run('svg')}>
        SVG
      </button>
      <button type="button" className={styles.save} aria-label={`Save ${title} as PNG`} onClick={run('png')}>
        PNG
      </button>
      {failure ? <span role="alert">{failure}</span> : null}
    </>
  );
}
