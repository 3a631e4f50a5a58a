import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, loadConfig } from './load.ts';

const isolation = (env: Record<string, string>) =>
  loadConfig(env, { cwd: '/srv' }).functions.isolation;

test('Machine types are read with their cores, memory and GPUs', () => {
  const { machineTypes } = isolation({
    GANTRY_MACHINE_TYPES: 'XL=8/16GiB,HALF=0.5/512MiB,GPU-L40S=8/32GiB/L40S*2',
  });
  assert.deepEqual(machineTypes, [
    { name: 'XL', cpus: 8, memory: 16 * 2 ** 30, gpu: undefined },
    { name: 'HALF', cpus: 0.5, memory: 512 * 2 ** 20, gpu: undefined },
    { name: 'GPU-L40S', cpus: 8, memory: 32 * 2 ** 30, gpu: { name: 'L40S', count: 2 } },
  ]);
});

test('What could not be put into a rule as it stands is refused at start', () => {
  const wrong: Record<string, string> = {
    GANTRY_FUNCTIONS_NETWORK: '10.213.0.1/16',
    GANTRY_FUNCTIONS_SUBNET: '30',
    GANTRY_FUNCTIONS_REACH: '192.0.2.1:0',
    GANTRY_FUNCTIONS_DNS: '9.9.9.9; drop',
    GANTRY_FUNCTIONS_PRIVATE: 'fd00::/8',
    GANTRY_MACHINE_TYPES: 'XL=0/16GiB',
  };
  for (const [name, value] of Object.entries(wrong))
    assert.throws(
      () => isolation({ [name]: value }),
      (error) => error instanceof ConfigError && error.message.includes(name),
      name,
    );
  assert.throws(
    () => isolation({ GANTRY_FUNCTIONS_NETWORK: '10.213.0.0/26', GANTRY_FUNCTIONS_SUBNET: '24' }),
    ConfigError,
  );
});
