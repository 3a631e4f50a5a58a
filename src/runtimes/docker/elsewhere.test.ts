import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Digest } from '../../oci/digest.ts';
import { missingElsewhere, whyNotPulled } from './elsewhere.ts';
import { type Engine, EngineError } from './engine.ts';
import { type EngineAddress, findEngine } from './engine-address.ts';
import { Images } from './images.ts';

describe('an engine on another machine', () => {
  const at = (host: string) => findEngine(host, {}) as EngineAddress;
  const far = at('tcp://192.0.2.7:2375');
  for (const address of ['127.0.0.1:5050', 'localhost:5050', '[::1]:5050', '0.0.0.0:5050']) {
    test(`does not pull from ${address}, which would be itself`, () => {
      assert.match(whyNotPulled(far, () => address) ?? '', /set GANTRY_PULL_ADDRESS/);
      assert.equal(
        whyNotPulled(at('tcp://127.0.0.1:2375'), () => address),
        undefined,
      );
      assert.equal(
        whyNotPulled(at('unix:///a.sock'), () => address),
        undefined,
      );
    });
  }
  test('pulls from elsewhere, and from what is not known yet', () => {
    assert.equal(
      whyNotPulled(far, () => 'registry.example.com'),
      undefined,
    );
    const unknown = () => {
      throw new TypeError('Invalid URL');
    };
    assert.equal(whyNotPulled(far, unknown), undefined);
  });
  test('a pull that would go wrong is refused before credentials are sent', async () => {
    const engine = {
      call: async () => {
        throw new EngineError(404, 'no such image');
      },
      stream: () => assert.fail('credentials are sent'),
    } as unknown as Engine;
    const images = new Images({
      ...{ engine, platform: 'linux/amd64', unpacksZstd: true },
      ...{ pullAddress: () => '127.0.0.1:5050', pullProblem: () => 'it would be another.' },
    });
    const credentials = { username: 'u', password: 'p' };
    const digest = `sha256:${'0'.repeat(64)}` as Digest;
    await assert.rejects(images.prepare({ repository: 'a/b/c', digest, credentials }, {}), {
      ...{ failure: 'pull-failed', message: 'it would be another.' },
    });
  });
  test('what is said without TLS, and on this machine', () => {
    assert.ok(missingElsewhere(far, undefined).some((one) => /without TLS/.test(one)));
    const tunnel = missingElsewhere(at('tcp://127.0.0.1:2375'), undefined);
    assert.ok(!tunnel.some((one) => /without TLS/.test(one)));
    assert.deepEqual(missingElsewhere(at('unix:///a.sock'), 'a problem'), []);
  });
});
