/** A panel that a button opens below itself; Esc and a click elsewhere close it. */
import { useEffect, useId, useRef, useState, type ReactNode } from 'react';
import styles from './popover.module.css';

interface PopoverProps {
  /** What the button shows. */
  face: ReactNode;
  /** What the panel is called. */
  label?: string;
  title?: string;
  className?: string;
  /** Whether the panel begins at the button's end and reaches back. */
  isAtEnd?: boolean;
  children: (close: () => void) => ReactNode;
}

export function Popover({ face, label, title, className, isAtEnd = false, children }: PopoverProps) {
  const [isOpen, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  useEffect(() => {
    if (!isOpen) return;
    const leave = (event: Event) => {
      if (event.target instanceof Node && !box.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener('pointerdown', leave);
    document.addEventListener('focusin', leave);
    return () => {
      document.removeEventListener('pointerdown', leave);
      document.removeEventListener('focusin', leave);
    };
  }, [isOpen]);
  return (
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions -- Esc closes from anywhere inside
    <div
      ref={box}
      className={styles.box}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !isOpen) return;
        event.stopPropagation();
        close();
      }}
    >
      <button
        ref={button}
        type="button"
        className={className}
        title={title}
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        onClick={() => setOpen(!isOpen)}
      >
        {face}
      </button>
      {isOpen ? (
        <div
          id={id}
          className={isAtEnd ? `${styles.panel} ${styles.end}` : styles.panel}
          role="group"
          aria-label={label ?? title}
        >
          {children(close)}
        </div>
      ) : null}
    </div>
  );
}
