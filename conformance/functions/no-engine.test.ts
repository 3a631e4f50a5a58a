/** A machine without a container engine: a registry like any other, and functions say what is missing. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { makeImage } from '../clients/support/images.ts';
import { assertSameBytes } from '../clients/support/registry.ts';
import { makeSandbox } from '../clients/support/sandbox.ts';
import { type FunctionsGantry, startFunctionsGantry } from './support/gantry.ts';
import { makeNetwork, needsNetwork } from './support/network.ts';

const skip = needsNetwork();

describe('without a container engine', skip ? { skip } : {}, () => {
  let gantry: FunctionsGantry;
  const stack = new AsyncDisposableStack();
  before(async () => {
    const sandbox = makeSandbox();
    stack.defer(() => sandbox.remove());
    const network = await makeNetwork();
    stack.defer(() => network.remove());
    gantry = await startFunctionsGantry({ sandbox, engine: undefined, network });
    stack.defer(() => gantry.halt());
  });
  after(() => stack.disposeAsync());

  test('images are pushed and pulled, and no push promises a URL', async () => {
    const image = makeImage({ seed: 'no engine' });
    const repository = gantry.repository('plain');
    const url = await gantry.push(repository, 'latest', image);
    assert.equal(url, undefined);
    assertSameBytes(await gantry.raw.image(repository, 'latest'), image);
  });

  test('its start says what is missing and how to get it', () => {
    assert.match(gantry.output(), /(engine|Docker)/);
    assert.match(gantry.output(), /GANTRY_DOCKER_HOST/);
  });

  test('names of functions answer, with the reason', async () => {
    const { status, body } = await gantry.ask('plain-my-project-my-team.localhost', '/');
    assert.ok(status === 404 || status === 503, `${status} ${body}`);
  });
});
