/** The explore page. */
import { useReady } from '../../ui/ready';

export default function Page() {
  useReady('explore');
  return <main className="page" aria-label="explore" />;
}
