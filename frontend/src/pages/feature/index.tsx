/** The feature page. */
import { useReady } from '../../ui/ready';

export default function Page() {
  useReady('feature');
  return <main className="page" aria-label="feature" />;
}
