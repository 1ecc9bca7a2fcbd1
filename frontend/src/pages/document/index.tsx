/** The document page. */
import { useReady } from '../../ui/ready';

export default function Page() {
  useReady('document');
  return <main className="page" aria-label="document" />;
}
