/** Who labels: remembered by this browser, so that it is asked once. */

const KEY = 'saeatlas.author';

/** The name given last in this browser; empty where there is none, or where the browser keeps nothing. */
export function rememberedAuthor(): string {
  try {
    return localStorage.getItem(KEY) ?? '';
  } catch {
    return '';
  }
}

export function rememberAuthor(name: string): void {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}
