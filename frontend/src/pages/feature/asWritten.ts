/** Whether examples show the documents' own text: remembered by this browser. */

const KEY = 'saeatlas.examples';

export function wantsText(): boolean {
  try {
    return localStorage.getItem(KEY) === 'text';
  } catch {
    return false;
  }
}

export function rememberText(isText: boolean): void {
  try {
    localStorage.setItem(KEY, isText ? 'text' : 'tokens');
  } catch {
    // A browser that keeps nothing shows tokens next time.
  }
}
