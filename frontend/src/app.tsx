/** Which address shows which page; each page is fetched when it is first opened. */
import { lazy, Suspense, useEffect, useState, type ReactNode } from 'react';
import { Route, Switch, useLocation } from 'wouter';
import { report } from './core/messages';
import { patch } from './core/state';
import { saeOf } from './core/url';
import { Boundary } from './ui/Boundary';
import { Failure } from './ui/Failure';
import { session } from './ui/session';
import { Shell } from './ui/shell/Shell';
import { useApp } from './ui/useApp';

const toHome = () => import('./pages/home');
const toExplore = () => import('./pages/explore');
const toMap = () => import('./pages/map');
const toFeature = () => import('./pages/feature');
const toPair = () => import('./pages/pair');
const toDocument = () => import('./pages/document');

const Home = lazy(toHome);
const Explore = lazy(toExplore);
const MapPage = lazy(toMap);
const Feature = lazy(toFeature);
const Pair = lazy(toPair);
const Document = lazy(toDocument);

const OF_SAE: Readonly<Record<string, () => Promise<unknown>>> = {
  explore: toExplore,
  map: toMap,
  f: toFeature,
  pair: toPair,
};

/** Fetch the page of an address while what it shows is on its way. */
export function fetchAhead(path: string): void {
  const [, first, , page] = path.split('/');
  const fetch = first === 's' ? OF_SAE[page] : first === 'c' ? toDocument : first === '' ? toHome : undefined;
  // Where it fails, the page says so when it is shown.
  fetch?.().catch(() => undefined);
}

/** Opens the SAE that the address names, and shows its pages once it is here. */
function SaeScope({ children }: { children: ReactNode }) {
  const [path] = useLocation();
  const sae = saeOf(path);
  const opened = useApp((state) => state.detail?.name ?? null);
  const [failure, setFailure] = useState<{ sae: string; error: Error } | null>(null);
  const open = () => {
    if (sae === null) return;
    setFailure(null);
    session.open(sae).catch((error: unknown) => {
      if (error instanceof DOMException) return;
      if (error instanceof Error) setFailure({ sae, error });
      else report(error);
    });
  };
  useEffect(open, [sae]);
  if (failure && failure.sae === sae)
    return (
      <main className="page">
        <h1>This cannot be shown</h1>
        <Failure error={failure.error} retry={open} />
      </main>
    );
  if (opened !== sae) return <p className="page-wait">Opening {sae} …</p>;
  return children;
}

function Unknown() {
  useEffect(() => patch({ focus: null }), []);
  return (
    <main className="page">
      <h1>There is no such page</h1>
      <p>
        <a href="/">Everything in this atlas</a>
      </p>
    </main>
  );
}

export function App() {
  const [path] = useLocation();
  return (
    <Shell>
      <Boundary of={path} isPage>
        <Routes />
      </Boundary>
    </Shell>
  );
}

function Routes() {
  return (
    <Suspense fallback={<p className="page-wait">Loading …</p>}>
      <Switch>
        <Route path="/" component={Home} />
        <Route path="/c/:corpus/d/:document" component={Document} />
        <Route path="/s/:sae/*?">
          <SaeScope>
            <Switch>
              <Route path="/s/:sae/explore" component={Explore} />
              <Route path="/s/:sae/map" component={MapPage} />
              <Route path="/s/:sae/f/:id" component={Feature} />
              <Route path="/s/:sae/pair/:a/:b" component={Pair} />
              <Route component={Unknown} />
            </Switch>
          </SaeScope>
        </Route>
        <Route component={Unknown} />
      </Switch>
    </Suspense>
  );
}
