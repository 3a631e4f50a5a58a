import assert from 'node:assert/strict';
import test from 'node:test';
import { RuntimeError } from '../../ports/runtime-driver.ts';
import { DeployWorld, type ImageOptions } from './deploy-test-kit.ts';
import { ProbeError } from './prober.ts';
import { engineMissing } from './reasons.ts';

test('an index runs by the platform of the host', async (t) => {
  const world = await DeployWorld.open(t);
  const id = await world.pushIndex('web', 'multi', ['linux/arm64', 'linux/amd64']);
  await world.deployer.idle();
  assert.equal(await world.state(id), 'ready');
  const arm = await world.pushIndex('web', 'arm', ['linux/arm64']);
  await world.deployer.idle();
  const reason = await world.reason(arm);
  assert.equal(reason?.code, 'NO_SUCH_PLATFORM');
  assert.match(reason.message, /linux\/arm64; this host runs linux\/amd64/);
  assert.match(reason.hint, /docker build --platform linux\/amd64 .*docker inspect/);
  assert.deepEqual(await world.running(), ['web multi']);
});

const withSettings = (settings: object) => async (world: DeployWorld) => {
  await world.metadata.writer.run('CreateService', {
    ...{ id: 'svc_1', projectId: 'prj_1', name: 'web', repositoryId: undefined, settings },
    ...{ actor: 'ada', now: 1 },
  });
};

const refusals: Record<
  string,
  {
    code: string;
    message: RegExp;
    hint?: RegExp;
    image?: ImageOptions;
    before?: (world: DeployWorld) => Promise<void> | void;
  }
> = {
  'an image for another platform': {
    code: 'NO_SUCH_PLATFORM',
    message: /The image is for linux\/arm64; this host runs linux\/amd64/,
    image: { platform: 'linux/arm64' },
  },
  'an image over the limit of its machine type': {
    code: 'IMAGE_TOO_LARGE',
    message: /10\.1 GB uncompressed; on the machine type S it may be 10 GB/,
    image: { size: 10.01e9 },
  },
  'A36: a layer that is not what it says': {
    code: 'LAYER_FLAGGED',
    message: /not what its media type says: it is no gzip stream/,
    image: { size: 'mismatch' },
  },
  'a machine type that there is not': {
    code: 'NO_SUCH_MACHINE_TYPE',
    message: /There is no machine type HUGE/,
    hint: /XS, S, M, L/,
    before: withSettings({ machineType: 'HUGE' }),
  },
  'a machine type that the host lacks': {
    code: 'NO_SUCH_MACHINE_TYPE',
    message: /GPU-T4 needs 1 GPU T4/,
    before: withSettings({ machineType: 'GPU-T4' }),
  },
  'a secret that there is not': {
    code: 'NO_SUCH_SECRET',
    message: /no secret "db", which DATABASE_URL is to have/,
    before: withSettings({ secrets: { DATABASE_URL: 'db' } }),
  },
  'a volume that there is not': {
    code: 'NO_SUCH_VOLUME',
    message: /no volume "data"/,
    before: withSettings({ volumes: [{ name: 'data', path: '/data' }] }),
  },
  'a pull that fails': {
    code: 'PULL_FAILED',
    message: /the layer ended early/,
    before: (world) => {
      world.prepare = async () => {
        throw new RuntimeError('pull-failed', 'the layer ended early');
      };
    },
  },
  'a server that does not listen': {
    code: 'FUNCTION_NOT_STARTED',
    message: /127\.0\.0\.1 only/,
    before: (world) => {
      world.ensure = async () => {
        const message = 'its server listens on 127.0.0.1 only';
        const reason = { code: 'FUNCTION_NOT_STARTED', message, hint: 'h', logs: ['last words'] };
        throw new ProbeError(message, reason);
      };
    },
  },
  'a host without an engine': {
    code: 'NO_ENGINE',
    message: /This host runs no functions: there is no Docker/,
    hint: /get it there/,
    before: (world) => {
      world.capabilities = async () => {
        throw engineMissing(['there is no Docker.', 'get it there.']);
      };
    },
  },
};

for (const [what, { code, message, hint, image, before }] of Object.entries(refusals)) {
  test(`${what} is refused at deploy, with the reason`, async (t) => {
    const world = await DeployWorld.open(t);
    await before?.(world);
    const id = await world.push('web', 'one', 'latest', image);
    await world.deployer.idle();
    const reason = await world.reason(id);
    assert.equal(reason?.code, code);
    assert.match(reason.message, message);
    if (hint) assert.match(reason.hint, hint);
    if (code === 'FUNCTION_NOT_STARTED') assert.deepEqual(reason.logs, ['last words']);
    assert.equal(await world.running(), undefined);
    assert.equal(world.asked.at(-1), `changed not ${id}`);
  });
}
