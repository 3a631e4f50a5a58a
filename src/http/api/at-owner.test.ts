import assert from 'node:assert/strict';
import test from 'node:test';
import { atOwner, atOwnerIds } from './at-owner.ts';
import { apiRoutes } from './routes/index.ts';

test('what is answered where functions run are routes that there are', () => {
  const known = new Set(apiRoutes({ version: '0' }).map(({ operationId }) => operationId));
  assert.deepEqual(
    [...atOwnerIds].filter((id) => !known.has(id)),
    [],
  );
});

test('what takes effect where functions run is answered there, and what only that replica knows', () => {
  const limits = ['updateVolume', 'updateProject', 'updateTeam', 'verifyDomain', 'pauseService'];
  for (const id of limits) assert.equal(atOwner(id), 'better', id);
  for (const id of ['getVolume', 'getDeploymentRetention']) assert.equal(atOwner(id), 'better', id);
});

test('what any replica answers stays where it is', () => {
  const told = ['createTeam', 'createToken', 'collect', 'listFunctionLines', 'getDeployment'];
  for (const id of told) assert.equal(atOwner(id), undefined, id);
});
