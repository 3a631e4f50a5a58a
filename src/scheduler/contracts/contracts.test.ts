import assert from 'node:assert/strict';
import test from 'node:test';
import { concurrencyOf, contractOf, portOf } from './contracts.ts';

test('the contract: by setting, else by label, else vercel', () => {
  const label = { 'gantry.contract': 'cloud-run' };
  assert.equal(contractOf({}).name, 'vercel');
  assert.equal(contractOf({}, label).name, 'cloud-run');
  assert.equal(contractOf({ contract: 'function-compute' }, label).name, 'function-compute');
  assert.equal(contractOf({}, { 'gantry.contract': 'toString' }).name, 'vercel');
});

test("the port: the service's, else PORT of the project, else the contract's", () => {
  const vercel = contractOf({});
  const functionCompute = contractOf({ contract: 'function-compute' });
  assert.equal(portOf({ port: 3000 }, { PORT: '4000' }, vercel), 3000);
  assert.equal(portOf({}, { PORT: '4000' }, vercel), 4000);
  assert.equal(portOf({}, {}, vercel), 80);
  assert.equal(portOf({}, {}, functionCompute), 9000);
  assert.equal(portOf({}, { PORT: '' }, vercel), 80);
  for (const PORT of ['0', '65536', '80a', '-1', '1e3', 'canary']) {
    assert.throws(
      () => portOf({}, { PORT }, vercel),
      /^RegistryError: (?!.*canary).*from 1 to 65535/,
    );
    assert.equal(portOf({ port: 3000 }, { PORT }, vercel), 3000);
  }
});

test("requests at once: the service's, else the contract's", () => {
  assert.equal(concurrencyOf({ concurrency: 3 }, contractOf({})), 3);
  assert.equal(concurrencyOf({}, contractOf({ contract: 'cloud-run' })), 80);
});
