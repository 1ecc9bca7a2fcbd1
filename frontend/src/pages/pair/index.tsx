/** The pair page. */
import { useReady } from '../../ui/ready';

export default function Page() {
  useReady('pair');
  return <main className="page" aria-label="pair" />;
}
