/** The home page. */
import { useReady } from '../../ui/ready';

export default function Page() {
  useReady('home');
  return <main className="page" aria-label="home" />;
}
