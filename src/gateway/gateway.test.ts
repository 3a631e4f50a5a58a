import assert from 'node:assert/strict';
import test from 'node:test';
import {
  ask,
  container,
  echo,
  gatewayFor,
  portOfServer,
  TestActivator,
  World,
} from './gateway-test-kit.ts';

test('a request goes to the container, and its answer comes back', async (t) => {
  const world = new World();
  world.deploy('1');
  const activator = new TestActivator(t, portOfServer(await container(t, echo)));
  const { port, ended, started } = await gatewayFor(t, world, activator);
  const answer = await ask(port, { path: '/a/b?c=d', method: 'POST', body: 'hello' });
  assert.equal(answer.status, 200);
  const seen = JSON.parse(answer.body);
  assert.equal(seen.url, '/a/b?c=d');
  assert.equal(seen.body, 'hello');
  assert.equal(seen.headers.host, 'shop.localhost');
  assert.match(String(answer.headers['x-gantry-id']), /^req_[0-9a-f]{32}$/);
  assert.equal(seen.headers['x-gantry-id'], answer.headers['x-gantry-id']);
  assert.equal(seen.headers['x-forwarded-for'], '127.0.0.1');
  assert.equal(ended.length, 1);
  assert.deepEqual(started, [ended[0]!.requestId]);
  assert.equal(ended[0]!.status, 200);
  assert.equal(ended[0]!.requestBytes, 5);
  assert.equal(ended[0]!.path, '/a/b');
  assert.equal(activator.held, 0);
});
