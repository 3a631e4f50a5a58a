import assert from 'node:assert/strict';
import test from 'node:test';
import type { DeployedService } from '../ports/functions.ts';
import { roleOf } from './role.ts';

const of = (repository: string, settings: DeployedService['settings'] = {}) =>
  roleOf({ teamSlug: 'acme', service: { repository, settings } as DeployedService });

test("another team's image has no rights unless its service says which", () => {
  const role = { actions: ['pull'] as const };
  assert.equal(of('acme/shop/web'), undefined);
  assert.deepEqual(of('other/shop/web'), { actions: [] });
  assert.deepEqual(of('acme-evil/shop/web'), { actions: [] });
  assert.equal(of('other/shop/web', { role }), role);
});
