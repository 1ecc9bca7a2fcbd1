/** The names in the page's address, as they were before they were put into it. */
import { useLocation } from 'wouter';

/** The segments of an address's path; one that is not properly encoded stays as it is. */
export function segmentsOf(path: string): string[] {
  return path
    .split('/')
    .slice(1)
    .map((text) => {
      try {
        return decodeURIComponent(text);
      } catch {
        return text;
      }
    });
}

/**
 * The segments of the page's own address. The router's parameters are of no use for names: it decodes some characters
 * of an address and leaves others, so that a name with a percent sign cannot be told from an encoded one.
 */
export function usePath(): string[] {
  useLocation();
  return segmentsOf(window.location.pathname);
}
