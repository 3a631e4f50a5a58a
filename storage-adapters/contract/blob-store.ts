import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { BlobStore } from '../../src/ports/blob-store.ts';
import type { Bench, Subject } from './blob-store/bench.ts';
import type { Case, Cases } from './blob-store/cases.ts';
import { interrupting } from './blob-store/interrupting.ts';
import { reading } from './blob-store/reading.ts';
import { resuming } from './blob-store/resuming.ts';
import { writing } from './blob-store/writing.ts';

export type { Bench, Subject } from './blob-store/bench.ts';

const caseTimeout = 120_000;

/**
 * The suite that every blob store passes: one test for each sentence of src/ports/blob-store.ts. After
 * each test the place must hold the keys that it committed, and after their deletion nothing.
 *
 * `subject` is called at the first test, so that what it starts can be tied to the calling file's hooks.
 */
export function blobStoreContract(name: string, subject: () => Promise<Subject> | Subject): void {
  const groups: Record<string, Cases> = { writing, reading, resuming, interrupting };
  for (const [group, cases] of Object.entries(groups)) {
    describe(`${name}: ${group}`, () => {
      for (const [sentence, run] of Object.entries(cases)) {
        test(sentence, { timeout: caseTimeout }, async (t) => runCase(await subject(), run, t));
      }
    });
  }
}

/** Runs one case on an empty place and checks that it leaves nothing but what it says. */
export async function runCase(subject: Subject, run: Case, t: TestContext): Promise<void> {
  const stores: BlobStore[] = [];
  const reopen = async () => {
    const store = await subject.open();
    stores.push(store);
    return store;
  };
  const bench: Bench = {
    unit: subject.unit,
    unfinishedShows: subject.unfinishedShows,
    held: () => subject.held(),
    openDescriptors: () => subject.openDescriptors(),
    store: await reopen(),
    reopen,
  };
  try {
    assert.deepEqual(await subject.held(), [], 'what was there before the test');
    const committed = await run(bench, t);
    assert.deepEqual(await subject.held(), [...committed].sort(), 'what the test left');
    assert.deepEqual(await subject.openDescriptors(), [], 'descriptors that the test left open');
    for (const key of committed) await bench.store.delete(key);
    assert.deepEqual(await subject.held(), [], 'what is left when all is deleted');
  } finally {
    for (const store of stores) await store.close();
    await subject.clear();
  }
}
