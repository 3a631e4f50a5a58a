import assert from 'node:assert/strict';
import test from 'node:test';
import { RuntimeError } from '../../ports/runtime-driver.ts';
import { DeployWorld, host } from './deploy-test-kit.ts';

/** Something to wait at. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { wait: () => promise, open: resolve };
}

test('a push is prepared, probed and takes its place', async (t) => {
  const world = await DeployWorld.open(t);
  const id = await world.push('web', 'one');
  await world.deployer.idle();
  assert.equal(await world.state(id), 'ready');
  assert.deepEqual(await world.running(), ['web one']);
  assert.deepEqual(world.asked, ['prepare web one', 'ensure web one', `changed to ${id}`]);
});

test('the second service joins the first, and only what is new is prepared', async (t) => {
  const world = await DeployWorld.open(t);
  await world.push('web', 'w1');
  await world.deployer.idle();
  world.asked.length = 0;
  await world.push('api', 'a1');
  await world.deployer.idle();
  assert.deepEqual(await world.running(), ['api a1', 'web w1']);
  assert.deepEqual(world.asked.slice(0, 2), ['prepare api a1', 'ensure api a1']);
});

test('a service without a contract of its own has the one of its image', async (t) => {
  const world = await DeployWorld.open(t);
  world.labels = { 'gantry.contract': 'cloud-run' };
  const id = await world.push('web', 'one');
  await world.deployer.idle();
  const snapshot = (await world.metadata.deployments.findById(id))?.snapshot;
  assert.equal(snapshot?.services[0]?.settings.contract, 'cloud-run');
});

test('two pushes at once lose nothing, whichever is prepared first', async (t) => {
  const world = await DeployWorld.open(t);
  const slow = gate();
  world.prepare = async ({ service }) => {
    if (service.name === 'web') await slow.wait();
  };
  world.ensure = async ({ service }) => {
    if (service.name === 'api') slow.open();
  };
  await Promise.all([world.push('web', 'w1'), world.push('api', 'a1')]);
  await world.deployer.idle();
  assert.deepEqual(await world.running(), ['api a1', 'web w1']);
});

test('an older push that is prepared later does not overtake the newer', async (t) => {
  const world = await DeployWorld.open(t);
  const slow = gate();
  world.prepare = async ({ service }) => {
    const first = await world.metadata.deployments.page({ projectId: 'prj_1' }, 2, 1);
    const origin = first[0]?.origin;
    if (origin?.type === 'push' && origin.digest === service.digest) await slow.wait();
  };
  world.ensure = async () => slow.open();
  const older = await world.push('web', 'w1');
  const newer = await world.push('web', 'w2');
  await world.deployer.idle();
  assert.deepEqual([await world.state(older), await world.state(newer)], ['superseded', 'ready']);
  assert.deepEqual(await world.running(), ['web w2']);
});

test('a rollback is not undone by what was pushed before it', async (t) => {
  const world = await DeployWorld.open(t);
  const first = await world.push('web', 'w1');
  await world.deployer.idle();
  await world.push('web', 'w2');
  await world.deployer.idle();
  const slow = gate();
  const asked = gate();
  world.prepare = async () => {
    asked.open();
    await slow.wait();
  };
  const third = await world.push('web', 'w3');
  await asked.wait();
  await world.metadata.writer.run('MovePointer', {
    ...{ projectId: 'prj_1', environment: 'production', name: 'production' },
    ...{ deploymentId: first, actor: 'ada', now: 1 },
  });
  slow.open();
  await world.deployer.idle();
  assert.equal(await world.state(third), 'superseded');
  assert.deepEqual(await world.running(), ['web w1']);
});

test('a preview has what production runs beside its own image', async (t) => {
  const world = await DeployWorld.open(t);
  await world.push('web', 'w1');
  await world.push('api', 'a1');
  await world.deployer.idle();
  await world.push('web', 'w2', 'pr-1');
  await world.deployer.idle();
  assert.deepEqual(await world.running('pr-1'), ['api a1', 'web w2']);
  assert.deepEqual(await world.running(), ['api a1', 'web w1']);
});

test('layers are measured before anything is pulled', async (t) => {
  const world = await DeployWorld.open(t);
  const id = await world.push('web', 'one', 'latest', { size: null });
  while (world.pauses < 3) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await world.state(id), 'preparing');
  assert.deepEqual(world.asked, []);
  await world.metadata.writer.run('RecordMeasure', world.measure('one', 10));
  await world.deployer.idle();
  assert.equal(await world.state(id), 'ready');
});

test('what is on its way when functions are turned off is not run', async (t) => {
  const world = await DeployWorld.open(t);
  world.ensure = async () => {
    await world.metadata.writer.run('UpdateTeam', {
      ...{ teamId: 'team_1', functions: false, now: 1, heldUntil: 1 },
    });
  };
  const id = await world.push('web', 'one');
  await world.deployer.idle();
  assert.equal((await world.reason(id))?.code, 'FUNCTIONS_OFF');
});

test('an engine that is away is waited for, and one that stays away is given up', async (t) => {
  const world = await DeployWorld.open(t);
  let away = 3;
  world.capabilities = async () => {
    if (away-- > 0) throw new RuntimeError('unavailable', 'connection refused');
    return host;
  };
  const id = await world.push('web', 'one');
  await world.deployer.idle();
  assert.equal(await world.state(id), 'ready');
  assert.equal(world.pauses, 3);
  away = Number.POSITIVE_INFINITY;
  const second = await world.push('web', 'two');
  await world.deployer.idle();
  assert.equal((await world.reason(second))?.code, 'ENGINE_UNAVAILABLE');
});

test('a failure of ours is tried again, and then said to be ours', async (t) => {
  const world = await DeployWorld.open(t);
  world.ensure = async () => {
    throw new Error('a bug, with a secret in it');
  };
  const id = await world.push('web', 'one');
  await world.deployer.idle();
  const reason = await world.reason(id);
  assert.equal(reason?.code, 'DEPLOYMENT_FAILED');
  assert.doesNotMatch(JSON.stringify(reason), /secret/);
});

for (const at of ['preparing', 'probing'] as const) {
  test(`a crash while ${at} is taken on at the next start, once`, async (t) => {
    const world = await DeployWorld.open(t);
    const reached = gate();
    const never = new Promise<void>(() => {});
    const stuck = async () => {
      reached.open();
      await Promise.race([never, closing.wait()]);
      throw new Error('gone');
    };
    const closing = gate();
    if (at === 'preparing') world.prepare = stuck;
    else world.ensure = stuck;
    const id = await world.push('web', 'one');
    await reached.wait();
    assert.equal(await world.state(id), at);
    world.prepare = async () => {};
    world.ensure = async () => {};
    const restarted = world.restart();
    closing.open();
    await restarted;
    await world.deployer.idle();
    assert.equal(await world.state(id), 'ready');
    assert.deepEqual(await world.running(), ['web one']);
  });
}

test('an image that is deleted while it is prepared fails its deployment, and what was begun is given up', async (t) => {
  const world = await DeployWorld.open(t);
  const slow = gate();
  const asked = gate();
  world.prepare = async () => {
    asked.open();
    await slow.wait();
  };
  const id = await world.push('web', 'one');
  await asked.wait();
  const [row] = await world.metadata.deployments.inStates(['preparing'], 1);
  const origin = row?.origin;
  assert.ok(origin?.type === 'push');
  await world.metadata.writer.run('DeleteManifest', {
    ...{ repositoryId: origin.repositoryId, digest: origin.digest, actor: 'ci', now: 1 },
  });
  slow.open();
  await world.deployer.idle();
  assert.equal((await world.reason(id))?.code, 'IMAGE_DELETED');
  assert.equal(world.asked.at(-1), `changed not ${id}`);
});

test('one project does not keep others waiting', async (t) => {
  const world = await DeployWorld.open(t);
  const slow = gate();
  let most = 0;
  let now = 0;
  world.prepare = async () => {
    most = Math.max(most, ++now);
    await slow.wait();
    now--;
  };
  const names = ['a', 'b', 'c', 'd', 'e'];
  for (const name of names) await world.push(name, name);
  while (now < 3) await new Promise((resolve) => setImmediate(resolve));
  slow.open();
  await world.deployer.idle();
  assert.equal(most, 3);
  assert.equal((await world.running())?.length, names.length);
});
