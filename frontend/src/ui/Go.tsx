/** A link to another page that takes filters, selection and colour along. */
import { navigate } from 'wouter/use-browser-location';
import type { AnchorHTMLAttributes, MouseEvent } from 'react';
import { linkTo } from '../core/history';

interface GoProps extends Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'href'> {
  to: string;
  /** Leave the state behind: for links to another SAE, and to no SAE. */
  isFresh?: boolean;
}

/** Go to a page from code. */
export function go(to: string, isFresh = false): void {
  navigate(isFresh ? to : linkTo(to));
}

export function Go({ to, isFresh = false, onClick, children, ...rest }: GoProps) {
  const refresh = (target: HTMLAnchorElement) => {
    target.href = isFresh ? to : linkTo(to);
  };
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)
      return;
    event.preventDefault();
    go(to, isFresh);
  };
  return (
    <a
      {...rest}
      href={to}
      onClick={follow}
      onFocus={(event) => refresh(event.currentTarget)}
      onPointerEnter={(event) => refresh(event.currentTarget)}
    >
      {children}
    </a>
  );
}
