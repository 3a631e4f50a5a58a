import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { createEnsureRepository } from './ensure-repository.ts';
import { openWorld, plan, refused } from './registry-test-kit.ts';

const world = await openWorld({ after });
const { metadata, project, clock } = world;
let made = 0;
const ensure = createEnsureRepository({
  writer: metadata.writer,
  clock,
  newRepositoryId: () => `repo_${++made}`,
});

test('many pushes at once make one repository, private, with one event', async () => {
  const all = await Promise.all(
    Array.from({ length: 20 }, () => ensure(project, 'new', plan, 'ci')),
  );
  const [first] = all;
  for (const repository of all) assert.deepEqual(repository, first);
  assert.equal(first?.visibility, 'private');
  const path = { team: 'acme', project: 'shop', repository: 'new' };
  assert.deepEqual(await metadata.repositories.find(path), first);
  const events = await metadata.outbox.listByRepository(first!.id, 0, 100);
  assert.deepEqual(
    events.map(({ type, data }) => [type, data.actor]),
    [['repository.created', 'ci']],
  );
});

test('a repository that is there stays as it is', async () => {
  const open = await world.ensure('open', 'public');
  assert.deepEqual(await ensure(project, 'open', plan, 'ci'), open);
});

test("the plan's count holds for new ones only", async () => {
  const small = { ...plan, counts: { repositoriesPerProject: 3 } };
  const error = await refused(ensure(project, 'fourth', small, 'ci'), 'quota');
  assert.match(error.message, /3 repositories.*plan allows 3/);
  await ensure(project, 'open', small, 'ci');
});
