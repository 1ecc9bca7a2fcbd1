/** What went wrong, where its answer would stand. */
import { ApiError } from '../core/api';

export function Failure({ error, retry }: { error: Error; retry?: () => void }) {
  return (
    <div className="notice error" role="alert">
      <strong dir="auto">{error.message}</strong>
      {error instanceof ApiError && error.hint ? <p dir="auto">{error.hint}</p> : null}
      {retry ? (
        <p>
          <button type="button" onClick={retry}>
            Try again
          </button>
        </p>
      ) : null}
    </div>
  );
}
