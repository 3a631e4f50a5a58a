import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  cacheFolder,
  findProgram,
  isBuilt,
  moduleFolder,
  recordFailure,
  toolFolder,
} from './cache.ts';
import { goTools, programsOf } from './pins.ts';

const read = (tool: (typeof goTools)[number], file: string) =>
  readFileSync(join(moduleFolder(tool), file), 'utf8');

describe('pinned tools', () => {
  for (const tool of goTools) {
    test(`${tool.name}: its module requires the version that is named, and its programs`, () => {
      const module = read(tool, 'go.mod');
      const sums = read(tool, 'go.sum');
      for (const path of tool.packages) {
        assert.match(
          module,
          new RegExp(`^(tool |module )?\\s*${path.replaceAll('.', '\\.')}$`, 'm'),
        );
      }
      const required = [
        ...module.matchAll(/^(?:require )?\s*(\S+) (v\S+?)(?:\+incompatible)?(?: \/\/.*)?$/gm),
      ];
      const own = required.find(([, name]) =>
        tool.module ? name === tool.module : tool.packages.every((path) => path.startsWith(name!)),
      );
      assert.equal(own?.[2], tool.version);
      assert.ok(sums.includes(`${own?.[1]} ${tool.version}`), 'go.sum knows it');
    });
  }

  test('no two tools build the same program', () => {
    const programs = goTools.flatMap(programsOf);
    assert.equal(new Set(programs).size, programs.length);
  });
});

describe('the cache', () => {
  const [crane] = goTools;

  test('is the one that is named, else in the cache folder of the user', () => {
    assert.equal(cacheFolder({ GANTRY_TOOLS_BIN: '/a' }), '/a');
    assert.equal(cacheFolder({ XDG_CACHE_HOME: '/b', HOME: '/c' }), '/b/gantry/tools');
    assert.equal(cacheFolder({ HOME: '/c' }), '/c/.cache/gantry/tools');
  });

  test('finds what is built, tells what is missing and why', (t) => {
    const cache = mkdtempSync(join(tmpdir(), 'gantry-tools-'));
    t.after(() => rmSync(cache, { recursive: true }));
    const folder = toolFolder(crane!, cache);
    assert.match(missing('crane', cache), /not built yet: .*--only crane/);
    recordFailure(crane!, 'go build exited 1: no space left', cache);
    assert.match(missing('crane', cache), /no space left/);
    mkdirSync(folder);
    writeFileSync(join(folder, 'crane'), '');
    assert.deepEqual(findProgram('crane', cache), { path: join(folder, 'crane') });
    assert.ok(isBuilt(crane!, cache));
  });

  test('keeps another version apart', () => {
    const other = { ...crane!, version: 'v0.0.1' };
    assert.notEqual(toolFolder(other, '/x'), toolFolder(crane!, '/x'));
    assert.notEqual(toolFolder({ ...crane!, tags: 'a' }, '/x'), toolFolder(crane!, '/x'));
  });

  test('knows no program that nothing builds', () => {
    assert.throws(() => findProgram('nothing', '/x'), /no tool of .* builds nothing/);
  });
});

function missing(program: string, cache: string): string {
  const found = findProgram(program, cache);
  assert.ok('missing' in found);
  return found.missing;
}
