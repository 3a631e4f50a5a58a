import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { RowCheck } from './check-row.ts';
import { checkMethods, checkPaths } from './methods.ts';
import { type Operation, readOperations } from './operation.ts';
import { rows } from './rows/index.ts';
import { createWorld, type World } from './world.ts';

let world: World;
let operations: readonly Operation[] = [];

before(async () => {
  world = await createWorld();
  operations = await readOperations(world);
});
after(() => world?.close());

describe('A1, A2, A5: every route of the API, by everybody', () => {
  test('every operation has a row, and every row an operation', () => {
    const known = operations.map(({ operationId }) => operationId).sort();
    assert.equal(new Set(known).size, known.length, 'operationIds are unique');
    assert.deepEqual([...new Set(Object.keys(rows).map(operationOf))].sort(), known);
  });

  test('the document says the level of access that the rows say', () => {
    for (const [key, { at }] of Object.entries(rows)) {
      const operation = operations.find((one) => one.operationId === operationOf(key));
      assert.equal(operation?.access.split(':', 1)[0], at, key);
    }
  });

  for (const [key, row] of Object.entries(rows)) {
    test(key, async () => {
      const operation = operations.find((one) => one.operationId === operationOf(key));
      assert.ok(operation, 'the document has it');
      report(await new RowCheck(world, operation, row).run());
    });
  }
});

describe('No method, header or spelling gives more', () => {
  test('methods that a path does not have, and headers that name another', async () => {
    report(await checkMethods(world, operations, rows));
  });

  test('other spellings of a path', async () => {
    report(await checkPaths(world, operations, rows));
  });
});

const operationOf = (key: string): string => key.split('#', 1)[0]!;

function report(complaints: readonly string[]): void {
  assert.ok(complaints.length === 0, `\n  ${complaints.join('\n  ')}`);
}
