import assert from 'node:assert/strict';
import test from 'node:test';
import { envName, settingNames, settings } from '../src/config/schema.ts';
import { readPage, settingsDoc } from './settings-doc.ts';

test('docs/settings.md is what the schema gives', async () => {
  assert.equal(
    await readPage(),
    settingsDoc(),
    'run: node scripts/run.mjs scripts/settings-doc.ts',
  );
});

test('the page names every setting, and every one says its default or what holds without', () => {
  const page = settingsDoc();
  for (const name of settingNames) {
    assert.ok(page.includes(`| \`${envName(name)}\` | \`${name}\` |`), name);
    const { default: fixed, absent } = settings[name];
    assert.equal((fixed === undefined) !== (absent === undefined), true, name);
  }
});
