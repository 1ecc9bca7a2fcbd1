import { describe, expect, it } from 'vitest';
import { composeSvg, escapeXml, fileName, wrapText, type PictureInfo } from '../src/core/chartPicture';
import { isRightToLeft } from '../src/core/direction';
import { identityLine } from '../src/core/identity';

const INFO: PictureInfo = {
  title: 'Feature 5: Active values',
  subtitle: 'refunds & <complaints>',
  n: '3,325 active of 100,015 rows',
  sae: 'minilm-l2',
  identity: 'MiniLM · layer 2 · topk · width 1024 · identity 0123456789ab',
  commit: 12,
};

describe('pictures', () => {
  it('say title, label, n, SAE, identity and commit, as text', () => {
    const svg = composeSvg('<rect width="10" height="10"/>', 800, 150, INFO);
    for (const part of [INFO.title, 'refunds &amp; &lt;complaints&gt;', INFO.n, INFO.sae, INFO.identity, 'commit 12'])
      expect(svg).toContain(part);
    expect(svg).toContain('<rect width="10" height="10"/>');
    expect(svg).not.toContain('<complaints>');
  });

  it('write right-to-left labels from their own side', () => {
    expect(composeSvg('', 400, 100, { ...INFO, subtitle: 'شكاوى' })).toContain('direction="rtl"');
    expect(isRightToLeft('… שלום abc')).toBe(true);
    expect(isRightToLeft('abc שלום')).toBe(false);
    expect(isRightToLeft('12.5')).toBe(false);
  });

  it('hold only characters that XML allows', () => {
    expect(escapeXml('a\u0000b\u001f"c"')).toBe('a\ufffdb\ufffd&quot;c&quot;');
    expect(escapeXml('🙂')).toBe('🙂');
  });

  it('break long lines at spaces and never run on without end', () => {
    expect(wrapText('one two three', 8)).toEqual(['one two', 'three']);
    expect(wrapText('', 8)).toEqual([]);
    const lines = wrapText('語'.repeat(100), 20);
    expect(lines).toHaveLength(3);
    expect(lines.at(-1)!.endsWith('…')).toBe(true);
    for (const line of lines) expect([...line].length).toBeLessThanOrEqual(20);
  });

  it('are named by letters and digits of every script', () => {
    expect(fileName(INFO, 'svg')).toBe('minilm-l2-Feature-5-Active-values-12.svg');
    expect(fileName({ ...INFO, sae: '../日本', title: 'a/b' }, 'png')).toBe('日本-a-b-12.png');
  });

  it('leave out what is not known of an identity', () => {
    expect(identityLine({ model: 'gpt2', layer: 8, hook: null, width: '' }, 'abcdef0123456789')).toBe(
      'gpt2 · layer 8 · identity abcdef012345',
    );
  });
});
