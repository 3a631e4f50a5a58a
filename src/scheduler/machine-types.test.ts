import assert from 'node:assert/strict';
import { test } from 'node:test';
import { availableMachines, findMachine, machineTypes, whyNotMachine } from './machine-types.ts';

const GiB = 2 ** 30;
const host = { cpus: 2, memory: 4.5 * GiB, gpus: {} };
const table = machineTypes([]);
const named = (name: string) => {
  const found = findMachine(table, name);
  assert.ok('machine' in found);
  return found.machine;
};

test('A machine that the host cannot give is refused with what there is', () => {
  for (const name of ['XS', 'S', 'M']) assert.equal(whyNotMachine(host, named(name)), undefined);
  assert.equal(
    whyNotMachine(host, named('L')),
    'Machine type L needs 4 cores where the host has 2, and 8 GiB of memory where the host has 4.5 GiB.',
  );
  assert.deepEqual(availableMachines(host, table), ['XS', 'S', 'M']);
});

test('A GPU is counted by its name', () => {
  const big = { cpus: 64, memory: 512 * GiB };
  const t4 = named('GPU-T4');
  assert.equal(whyNotMachine({ ...big, gpus: { T4: 1 } }, t4), undefined);
  assert.equal(
    whyNotMachine({ ...big, gpus: { A100: 8 } }, t4),
    'Machine type GPU-T4 needs 1 GPU T4 where the host has 8 A100.',
  );
  assert.equal(
    whyNotMachine({ ...big, gpus: {} }, t4),
    'Machine type GPU-T4 needs 1 GPU T4 where the host has none.',
  );
});

test('The setting adds machine types and changes the default ones', () => {
  const changed = machineTypes([
    { name: 'S', cpus: 2, memory: GiB, gpu: undefined },
    { name: 'XXL', cpus: 32, memory: 64 * GiB, gpu: undefined },
  ]);
  assert.equal(changed.byName.get('S')?.cpus, 2);
  assert.equal(changed.byName.get('XS')?.cpus, 0.25);
  assert.equal([...changed.byName.keys()].at(-1), 'XXL');
});

test('Without a name it is S, or XS where the host is smaller; an unknown name is answered with those that there are', () => {
  const given = (small?: typeof host) => {
    const found = findMachine(machineTypes([], small), undefined);
    return 'machine' in found && found.machine.name;
  };
  assert.equal(given(), 'S');
  assert.equal(given({ cpus: 1, memory: 2 * GiB, gpus: {} }), 'S');
  assert.equal(given({ cpus: 1, memory: 1.9 * GiB, gpus: {} }), 'XS');
  assert.deepEqual(findMachine(table, 'XXS'), {
    problem:
      'There is no machine type XXS: there are XS, S, M, L, GPU-T4, GPU-A10G, GPU-A100, GPU-H100.',
  });
});
