/** A bucket volume: files of a function are objects of a real S3 server. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { startDaemon } from '../clients/support/daemon.ts';
import { systemPath } from '../clients/support/sandbox.ts';
import { needsPrograms, program } from '../clients/support/suite.ts';
import { findProgram } from '../tools/cache.ts';
import { noneRuns } from './support/containers.ts';
import { functionImage } from './support/images.ts';
import { functionsSuite, type World } from './support/suite.ts';
import { until } from './support/until.ts';

const keys = { accessKeyId: 'test-access', secretAccessKey: 'test-secret-of-versitygw' };
const rclone = findProgram('rclone');

/** In the engine's network, on its loopback alone: the host mounts it, and functions do not reach it. */
async function startStore({ engine, sandbox }: World) {
  const folder = sandbox.fresh('s3');
  mkdirSync(join(folder, 'files'));
  const port = randomInt(20_000, 30_000);
  const url = `http://${engine.network.address}:${port}/`;
  const daemon = await startDaemon({
    ...engine.network.inside(program('versitygw'), [
      ...['--port', `127.0.0.1:${port}`, '--quiet', 'posix', folder],
    ]),
    env: { ROOT_ACCESS_KEY: keys.accessKeyId, ROOT_SECRET_KEY: keys.secretAccessKey },
    log: sandbox.path('s3.log'),
    ready: () => fetch(url).then(Boolean, () => false),
  });
  return { folder, endpoint: `http://127.0.0.1:${port}`, stop: () => daemon.stop() };
}

functionsSuite({
  name: 'a bucket volume',
  obstacle: () => needsPrograms('versitygw', 'rclone'),
  env: {
    GANTRY_OUTBOUND_ALLOW: 'loopback',
    PATH: 'path' in rclone ? `${dirname(rclone.path)}:${systemPath}` : systemPath,
  },
  tests: {
    'files that a function writes are objects, and stay when it ends': async (world) => {
      const { gantry, functions, engine } = world;
      const store = await startStore(world);
      try {
        await functions.project('POST', '/volumes', {
          ...{ name: 'objects', kind: 'bucket' },
          bucket: {
            ...{ endpoint: store.endpoint, region: 'us-east-1', bucket: 'files' },
            ...{ prefix: 'mine/', ...keys },
          },
        });
        await functions.service('objects', {
          ...{ freezeAfterMs: 0, idleMs: { production: 1_000 } },
          volumes: [{ name: 'objects', path: '/objects' }],
        });
        const image = functionImage({ version: 'objects' });
        const { serviceHost } = await functions.deploy('objects', 'latest', image);
        const path = '/file?path=/objects/hello.txt';
        const put = await gantry.ask(serviceHost, path, { method: 'PUT', body: 'in a bucket' });
        assert.equal(put.status, 200, put.body);
        const object = join(store.folder, 'files', 'mine', 'hello.txt');
        await until(() => existsSync(object) || undefined, 'the object is there');
        assert.equal(readFileSync(object, 'utf8'), 'in a bucket');
        await noneRuns(engine, 'objects');
        assert.equal((await gantry.ask(serviceHost, path)).body, 'in a bucket');
      } finally {
        await store.stop();
      }
    },
  },
});
