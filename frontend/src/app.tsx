/** Which address shows which page; each page is fetched when it is first opened. */
import { lazy, Suspense } from 'react';
import { Route, Switch } from 'wouter';

const Home = lazy(() => import('./pages/home'));
const Explore = lazy(() => import('./pages/explore'));
const MapPage = lazy(() => import('./pages/map'));
const Feature = lazy(() => import('./pages/feature'));
const Pair = lazy(() => import('./pages/pair'));
const Document = lazy(() => import('./pages/document'));

export function App() {
  return (
    <Suspense fallback={<p className="page-wait">Loading …</p>}>
      <Switch>
        <Route path="/" component={Home} />
        <Route path="/s/:sae/explore" component={Explore} />
        <Route path="/s/:sae/map" component={MapPage} />
        <Route path="/s/:sae/f/:id" component={Feature} />
        <Route path="/s/:sae/pair/:a/:b" component={Pair} />
        <Route path="/c/:corpus/d/:document" component={Document} />
      </Switch>
    </Suspense>
  );
}
