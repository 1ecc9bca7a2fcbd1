/** Keeps what fails to its own place: a part that cannot be fetched or drawn takes nothing else with it. */
import { Component, type ReactNode } from 'react';
import { ApiError } from '../core/api';
import { Failure } from './Failure';

interface BoundaryProps {
  children: ReactNode;
  /** What is shown; with another one it is tried anew. */
  of: string | number | null;
  /** Whether it stands for a whole page, which needs a heading. */
  isPage?: boolean;
}

/** What browsers say when a script of the pages is not to be had. */
const NOT_FETCHED = /dynamically imported|importing a module|module script|preload/i;

function inWords(error: Error): Error {
  if (!NOT_FETCHED.test(error.message)) return error;
  return new ApiError({
    kind: 'unreachable',
    status: 0,
    detail: 'The server does not answer, or it was built anew: this part of the pages is not to be had',
    hint: 'See whether "saeatlas serve" still runs, and load the page again',
  });
}

export class Boundary extends Component<BoundaryProps, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown): { error: Error } {
    return { error: inWords(error instanceof Error ? error : new Error(String(error))) };
  }

  override componentDidUpdate(before: BoundaryProps): void {
    if (before.of !== this.props.of && this.state.error) this.setState({ error: null });
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (!error) return this.props.children;
    // What failed to come once is not asked for again by the same page load.
    const failure = <Failure error={error} retry={() => location.reload()} />;
    if (!this.props.isPage) return failure;
    return (
      <main className="page">
        <h1>This cannot be shown</h1>
        {failure}
      </main>
    );
  }
}
