import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Registry } from '../../spec/client.ts';
import { ask, checkRegistryRow } from './check-registry.ts';
import { overwrite, registryOperations, registryRows } from './registry-rows.ts';
import { createWorld, type World } from './world.ts';

let world: World;

before(async () => {
  world = await createWorld();
});
after(() => world?.close());

describe('A1, A2, A5: every route under /v2/, by everybody', () => {
  test('every method of every route has a row, and every row a route', () => {
    assert.deepEqual(Object.keys(registryRows).sort(), [...registryOperations].sort());
  });

  for (const [operation, row] of Object.entries(registryRows)) {
    for (const way of ['basic', 'bearer'] as const) {
      test(`${operation}, ${way}`, async () => {
        const method = operation.split(' ')[1]!;
        const complaints = await checkRegistryRow(world, method, row, way);
        assert.ok(complaints.length === 0, `\n  ${complaints.join('\n  ')}`);
      });
    }
  }

  test('A46: who may create may not overwrite a tag that is there: 403', async () => {
    const make = new Registry(world.server.origin, world.registry.owner);
    const sample = await overwrite(world.own, make).finally(() => make.close());
    const statuses = [];
    for (const caller of ['create', 'read', 'write'] as const) {
      statuses.push((await ask(world, 'PUT', sample, world.registry[caller])).status);
    }
    assert.deepEqual(statuses, [403, 403, 201]);
  });
});
