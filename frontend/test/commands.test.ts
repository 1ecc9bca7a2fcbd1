import { describe, expect, it } from 'vitest';
import { addCommands, handleKey, listCommands } from '../src/core/commands';

/** What a key press looks like to the commands. */
function press(key: string, change: Partial<KeyboardEvent> = {}): KeyboardEvent {
  return { key, target: null, defaultPrevented: false, ...change } as KeyboardEvent;
}

function offering(...keys: string[]): { done: string[]; end: () => void } {
  const done: string[] = [];
  const end = addCommands(keys.map((each) => ({ keys: each, label: each, group: 'test', run: () => done.push(each) })));
  return { done, end };
}

describe('keys', () => {
  it('run what they stand for, alone and one after the other', () => {
    const { done, end } = offering('j', 'g m', 'g t');
    for (const key of ['j', 'g', 'm', 'g', 't', 'm']) handleKey(press(key), 0);
    end();
    expect(done).toEqual(['j', 'g m', 'g t']);
  });

  it('begin anew after a pause, and after a key that fits nothing', () => {
    const { done, end } = offering('g m', 'm');
    handleKey(press('g'), 0);
    handleKey(press('m'), 5000);
    handleKey(press('g'), 10_000);
    handleKey(press('q'), 10_001);
    handleKey(press('m'), 10_002);
    end();
    expect(done).toEqual(['m', 'm']);
  });

  it('leave to the browser what is held with Ctrl, Alt or Meta, and what was taken', () => {
    const { done, end } = offering('f');
    for (const change of [{ ctrlKey: true }, { altKey: true }, { metaKey: true }, { defaultPrevented: true }])
      expect(handleKey(press('f', change), 0)).toBe(false);
    end();
    expect(done).toEqual([]);
  });

  it('belong to the part of the page that offered them last, and go with it', () => {
    const first = offering('Escape');
    const second = offering('Escape');
    handleKey(press('Escape'), 0);
    second.end();
    handleKey(press('Escape'), 0);
    first.end();
    expect(handleKey(press('Escape'), 0)).toBe(false);
    expect([first.done.length, second.done.length]).toEqual([1, 1]);
    expect(listCommands()).toEqual([]);
  });
});
