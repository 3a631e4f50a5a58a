/** Servers as people run them: nginx of Debian, and a Node server from npm. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { TarEntry } from '../clients/support/tar.ts';
import { needsDebianTree, nginxImage, nodeImage } from './support/debian-tree.ts';
import { functionsSuite } from './support/suite.ts';

const site = `
log_format seen '$remote_addr for $http_x_forwarded_for asks $request';
server {
  listen 80;
  access_log /dev/stdout seen;
  location / {
    default_type text/plain;
    return 200 "nginx for $http_x_forwarded_for at $host of $http_x_forwarded_proto\\n";
  }
}
`;

const app = `
export default {
  fetch(request) {
    const url = new URL(request.url);
    const forwarded = request.headers.get('x-forwarded-for');
    return Response.json({ path: url.pathname, forwarded, uid: process.getuid() });
  },
};
`;

const root = join(import.meta.dirname, '..', '..');

functionsSuite({
  name: 'real servers',
  obstacle: needsDebianTree,
  tests: {
    'nginx of Debian, which drops to its own user, serves and logs': async (world) => {
      const { gantry, functions, engine } = world;
      const { serviceHost } = await functions.deploy('nginx', 'latest', await nginxImage(site));
      const { status, body, headers } = await gantry.ask(serviceHost, '/');
      assert.equal(status, 200, body);
      const client = engine.network.hostAddress;
      assert.equal(body, `nginx for ${client} at ${serviceHost} of http\n`);
      assert.match(String(headers.server), /^nginx/);
    },

    'a Node server from npm (srvx), as a user without rights': async (world) => {
      const { gantry, functions, engine } = world;
      const files: TarEntry[] = [
        { name: 'app/', mode: 0o755 },
        { name: 'app/server.mjs', bytes: Buffer.from(app), mode: 0o644 },
        ...filesOf(join(root, 'node_modules', 'srvx'), 'app/node_modules/srvx'),
      ];
      const command = ['node_modules/srvx/bin/srvx.mjs', '--prod', '--entry', 'server.mjs'];
      const image = await nodeImage(files, command, { user: '1000' });
      await functions.service('srvx', { port: 3000 });
      const { serviceHost } = await functions.deploy('srvx', 'latest', image);
      const { status, body } = await gantry.ask(serviceHost, '/some/path');
      assert.equal(status, 200, body);
      assert.deepEqual(JSON.parse(body), {
        ...{ path: '/some/path', forwarded: engine.network.hostAddress, uid: 1000 },
      });
    },
  },
});

function filesOf(folder: string, at: string): TarEntry[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile() && !name.endsWith('.d.mts'))
    .map((name) => ({
      ...{ name: `${at}/${name}`, bytes: readFileSync(join(folder, name)), mode: 0o755 },
    }));
}
