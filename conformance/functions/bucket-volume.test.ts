/** A bucket volume: files of a function are objects of a real S3 server. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findVersitygw, startVersitygw } from '../tools/versitygw.ts';
import { functionImage } from './support/images.ts';
import { functionsSuite } from './support/suite.ts';
import { until } from './support/until.ts';

functionsSuite({
  name: 'a bucket volume',
  obstacle: () => {
    const found = findVersitygw();
    return 'missing' in found ? found.missing : undefined;
  },
  env: { GANTRY_OUTBOUND_ALLOW: 'loopback,private' },
  tests: {
    'files that a function writes are objects, and stay when it ends': async (world) => {
      const { gantry, functions, sandbox, engine } = world;
      const found = findVersitygw();
      assert.ok('path' in found);
      const folder = sandbox.fresh('s3');
      const server = await startVersitygw({ program: found.path, folder });
      try {
        const { port } = new URL(server.endpoint);
        assert.ok(port && engine);
        await functions.project('POST', '/volumes', {
          ...{ name: 'objects', kind: 'bucket' },
          bucket: {
            endpoint: server.endpoint,
            region: server.region,
            bucket: server.bucket,
            prefix: 'files/',
            ...server.credentials,
          },
        });
        await functions.service('objects', {
          volumes: [{ name: 'objects', path: '/objects' }],
        });
        const image = functionImage({ version: 'objects' });
        const { serviceHost } = await functions.deploy('objects', 'latest', image);
        const path = '/file?path=/objects/hello.txt';
        const put = await gantry.ask(serviceHost, path, { method: 'PUT', body: 'in a bucket' });
        assert.equal(put.status, 200, put.body);
        const stored = await until(() => {
          const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
          return names.find((name) => name.endsWith('files/hello.txt'));
        }, 'the object is there');
        assert.equal(readFileSync(join(folder, stored), 'utf8'), 'in a bucket');
      } finally {
        await server.stop();
      }
    },
  },
});
