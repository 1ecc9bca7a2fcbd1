/** The map page. */
import { useReady } from '../../ui/ready';

export default function Page() {
  useReady('map');
  return <main className="page" aria-label="map" />;
}
