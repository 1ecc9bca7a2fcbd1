/// <reference types="node" />
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build, type Manifest } from 'vite';

const folder = mkdtempSync(join(tmpdir(), 'pages-'));
let manifest: Manifest;

beforeAll(async () => {
  // Tests run with the libraries' development builds; what is weighed here is what is shipped.
  const before = process.env.NODE_ENV;
  process.env.NODE_ENV = 'production';
  await build({ logLevel: 'error', build: { outDir: folder, emptyOutDir: true } });
  process.env.NODE_ENV = before;
  manifest = JSON.parse(readFileSync(join(folder, '.vite/manifest.json'), 'utf8')) as Manifest;
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function sizeOf(file: string): number {
  return gzipSync(readFileSync(join(folder, file)), { level: 9 }).length / 1024;
}

/** The files that are fetched before a chunk runs, its own among them. */
function filesOf(key: string, seen = new Set<string>()): Set<string> {
  const chunk = manifest[key];
  if (seen.has(chunk.file)) return seen;
  seen.add(chunk.file);
  for (const style of chunk.css ?? []) seen.add(style);
  for (const each of chunk.imports ?? []) filesOf(each, seen);
  return seen;
}

function total(files: Iterable<string>): number {
  return [...files].reduce((sum, file) => sum + sizeOf(file), 0);
}

describe('what the pages weigh, compressed', () => {
  it('at most 150 KB before the first page shows', () => {
    expect(total(filesOf('index.html'))).toBeLessThanOrEqual(150);
  });

  it('at most 170 KB for the map and 60 KB for any other part', () => {
    const entry = filesOf('index.html');
    const others = Object.values(manifest).flatMap(({ file, css }) => [file, ...(css ?? [])]);
    for (const file of new Set(others))
      if (!entry.has(file)) expect(sizeOf(file), file).toBeLessThanOrEqual(/three/.test(file) ? 170 : 60);
  });

  it('at most 1 MB together, which the wheel carries', () => {
    const files = readdirSync(join(folder, 'assets')).map((name) => `assets/${name}`);
    expect(total(files)).toBeLessThanOrEqual(1024);
  });
});

describe('what the pages may do', () => {
  const scripts = () => readdirSync(join(folder, 'assets')).filter((name) => /\.(js|css)$/.test(name));

  it('nothing inline, which the policy of the server refuses', () => {
    const page = readFileSync(join(folder, 'index.html'), 'utf8');
    expect(page).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]*\ssrc=)/);
  });

  it('no script that is made of text, and no page that is', () => {
    for (const name of scripts()) {
      const text = readFileSync(join(folder, 'assets', name), 'utf8');
      expect(text, name).not.toMatch(/\beval\(|new Function\(|document\.write\(|insertAdjacentHTML/);
    }
  });

  it('no file of another machine: addresses stand only in messages and names of vocabularies', () => {
    for (const name of scripts()) {
      const text = readFileSync(join(folder, 'assets', name), 'utf8');
      const hosts = new Set(Array.from(text.matchAll(/https?:\/\/([\w.-]+)/g), ([, host]) => host));
      for (const host of ['www.w3.org', 'react.dev']) hosts.delete(host);
      expect([...hosts], name).toEqual([]);
    }
  });
});
