/** Requests to the server the pages came from: JSON and Arrow, with every failure as one kind of error. */
import { tableFromIPC, type Table } from '@uwdata/flechette';
import type { TableMeta } from './types';

export type Param = string | number | boolean | readonly (string | number)[] | null | undefined;
export type Params = Record<string, Param>;

const ROOT = '/api/v1';
const ARROW = 'application/vnd.apache.arrow.stream';

/** A request that the server refused, or that never reached it (status 0, kind 'unreachable'). */
export class ApiError extends Error {
  readonly kind: string;
  readonly status: number;
  readonly detail: string;
  readonly hint: string | null;

  constructor(problem: { kind: string; status: number; detail: string; hint?: string | null }) {
    super(problem.detail);
    this.name = 'ApiError';
    this.kind = problem.kind;
    this.status = problem.status;
    this.detail = problem.detail;
    this.hint = problem.hint ?? null;
  }
}

/** True for a request that the page itself gave up, which nobody has to be told about. */
export function isAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

/** One path segment from a name that may hold anything. */
export function segment(name: string | number): string {
  return encodeURIComponent(String(name));
}

let atlasId: string | null = null;

/** Say which atlas the server holds: browsers keep pinned answers for good, and another may be served here tomorrow. */
export function nameAtlas(id: string | null): void {
  atlasId = id;
}

/** The same path at a commit that will not change; without a commit, the path itself. */
export function pinned(path: string, commit: number | null): string {
  if (commit === null) return path;
  return `/@${commit}${atlasId === null ? '' : `-${atlasId}`}${path}`;
}

/** The address of a request; parameters that are null, undefined or an empty list are left out. */
export function address(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === null || value === undefined) continue;
    if (Array.isArray(value)) {
      if (value.length) query.set(name, value.join(','));
    } else query.set(name, String(value));
  }
  const text = query.toString();
  return ROOT + path + (text ? `?${text}` : '');
}

async function problemOf(response: Response): Promise<ApiError> {
  const fallback = { kind: 'internal', status: response.status, detail: `The server answered ${response.status}` };
  try {
    const body = (await response.json()) as Partial<Record<'kind' | 'detail' | 'hint', string | null>>;
    return new ApiError({
      kind: body.kind ?? fallback.kind,
      status: response.status,
      detail: body.detail ?? fallback.detail,
      hint: body.hint,
    });
  } catch {
    return new ApiError(fallback);
  }
}

async function send(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: 'same-origin', ...init });
  } catch (error) {
    if (isAborted(error)) throw error;
    throw new ApiError({
      kind: 'unreachable',
      status: 0,
      detail: 'The server does not answer',
      hint: 'See whether "saeatlas serve" still runs',
    });
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

export async function getJson<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
  const response = await send(address(path, params), { headers: { accept: 'application/json' }, signal });
  return (await response.json()) as T;
}

export async function getArrow(path: string, params: Params = {}, signal?: AbortSignal): Promise<Table> {
  const response = await send(address(path, params), { headers: { accept: ARROW }, signal });
  return tableFromIPC(new Uint8Array(await response.arrayBuffer()), { useProxy: false });
}

/** The envelope that an Arrow answer carries in its schema. */
export function envelopeOf(table: Table): TableMeta | null {
  const text = table.schema.metadata?.get('saeatlas');
  return text ? (JSON.parse(text) as TableMeta) : null;
}

export async function postJson<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const response = await send(address(path), {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  });
  return (await response.json()) as T;
}
