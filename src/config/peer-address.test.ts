import assert from 'node:assert/strict';
import test from 'node:test';
import { loadConfig } from './load.ts';
import { peerAddress } from './peer-address.ts';

test('where others reach this replica: as set, or where it listens and can be reached', () => {
  const one = ['10.0.0.5'];
  for (const [env, addresses, expected] of [
    [{ GANTRY_PEER_URL: 'http://replica-1:5050' }, one, 'http://replica-1:5050'],
    [{ GANTRY_HOST: '10.0.0.7' }, one, 'http://10.0.0.7:81'],
    [{ GANTRY_HOST: 'fd00::7' }, one, 'http://[fd00::7]:81'],
    [{ GANTRY_HOST: '0.0.0.0' }, one, 'http://10.0.0.5:81'],
    [{ GANTRY_HOST: '0.0.0.0' }, ['10.0.0.5', '172.17.0.1'], undefined],
    [{ GANTRY_HOST: '0.0.0.0' }, [], undefined],
    [{ GANTRY_HOST: '127.0.0.1' }, one, undefined],
    [{ GANTRY_HOST: '::1' }, one, undefined],
    [{ GANTRY_HOST: 'localhost' }, one, undefined],
    [
      { GANTRY_HOST: '10.0.0.7', GANTRY_TLS_CERT: '/c.pem', GANTRY_TLS_KEY: '/k.pem' },
      one,
      undefined,
    ],
  ] as const) {
    const config = loadConfig({ GANTRY_DATA: '/tmp/none', ...env }, { cwd: '/' });
    assert.equal(peerAddress(config, 81, addresses), expected, JSON.stringify(env));
  }
});
