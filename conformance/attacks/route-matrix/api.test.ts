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
    assert.deepEqual(Object.keys(rows).sort(), known);
  });

  for (const [operationId, row] of Object.entries(rows)) {
    test(operationId, async () => {
      const operation = operations.find((one) => one.operationId === operationId);
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

function report(complaints: readonly string[]): void {
  assert.ok(complaints.length === 0, `\n  ${complaints.join('\n  ')}`);
}
