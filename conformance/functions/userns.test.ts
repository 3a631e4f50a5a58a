/** An engine that runs containers as other users than the machine's (`--userns-remap=default`). */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import type { Sandbox } from '../clients/support/sandbox.ts';
import { held, noneRuns } from './support/containers.ts';
import { functionImage } from './support/images.ts';
import { functionsSuite, type World } from './support/suite.ts';

function obstacle(): string | undefined {
  if (spawnSync('useradd', ['--help']).error) return 'useradd is not installed';
  const made = spawnSync('unshare', ['--user', 'true'], { encoding: 'utf8' });
  return made.status === 0 ? undefined : `no user namespaces: ${made.stderr?.trim()}`;
}

/** In a copy of /etc: the engine makes a user, which is not to stay on this machine. */
function remapped(sandbox: Sandbox) {
  // Its users have to come to its data.
  chmodSync(sandbox.folder, 0o711);
  const etc = sandbox.fresh('etc');
  const script = 'cp -a /etc/. "$1" && mount --bind "$1" /etc && shift && exec "$@"';
  return {
    args: ['--userns-remap=default'],
    within: (program: string, args: readonly string[]) => ({
      program: 'unshare',
      args: [
        ...['--mount', '--propagation', 'slave', 'sh', '-c', script, 'sh', etc],
        ...[program, ...args],
      ],
    }),
  };
}

/** Of the machine: user and group that the first process of a service's instance runs as. */
async function owner({ engine }: World, service: string): Promise<{ uid: number; gid: number }> {
  const [one] = await held(engine, service).then((all) =>
    all.filter((each) => each.state === 'running'),
  );
  const { State } = await engine.api<{ State: { Pid: number } }>(
    'GET',
    `/containers/${one!.id}/json`,
  );
  const status = readFileSync(`/proc/${State.Pid}/status`, 'utf8');
  const [uid, gid] = ['Uid', 'Gid'].map((name) =>
    Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)![1]),
  );
  return { uid: uid!, gid: gid! };
}

functionsSuite({
  name: 'users of their own',
  obstacle,
  engine: remapped,
  tests: {
    'root is nobody of the machine, has its token, and writes where it may': async (world) => {
      const { gantry, functions } = world;
      const { missing } = await gantry.api<{ missing: string[] }>('GET', '/functions');
      assert.ok(!missing.some((one) => /userns-remap/.test(one)), missing.join('\n'));
      await functions.service('root', { machineType: 'XS', freezeAfterMs: 0 });
      const { serviceHost: host } = await functions.deploy(
        'root',
        'latest',
        functionImage({ version: 'root' }),
      );
      const { uid, gid } = await owner(world, 'root');
      assert.ok(uid >= 100_000 && gid >= 100_000, `${uid}:${gid}`);
      const token = await gantry.ask(host, '/file?path=/var/run/gantry/oidc-token');
      assert.match(token.body, /^[\w-]+\.[\w-]+\.[\w-]+$/);
      const put = (path: string) =>
        gantry.ask(host, `/file?path=${path}`, { method: 'PUT', body: 'x' });
      assert.equal((await put('/mine')).status, 200);
      assert.equal((await put('/var/run/gantry/oidc-token')).status, 409);
      assert.equal((await put('/proc/sys/kernel/hostname')).status, 409);
      assert.equal((await put('/sys/kernel/uevent_helper')).status, 409);
    },

    'a volume is written by root and by the USER whose folder the image has, and stays': async (
      world,
    ) => {
      const { gantry, functions, engine } = world;
      const settings = { machineType: 'XS', freezeAfterMs: 0, idleMs: { production: 1_000 } };
      for (const [name, user] of [
        ['as-root', undefined],
        ['as-user', '1000:1000'],
      ] as const) {
        await functions.project('POST', '/volumes', { name, kind: 'disk', maxBytes: 10_000_000 });
        await functions.service(name, { ...settings, volumes: [{ name, path: '/data' }] });
        const files = [{ name: 'data/', ...(user ? { owner: 1000 } : {}) }];
        const image = functionImage({ version: name, files, ...(user ? { user } : {}) });
        const { serviceHost: host } = await functions.deploy(name, 'latest', image);
        const path = '/file?path=/data/note';
        const put = await gantry.ask(host, path, { method: 'PUT', body: 'kept' });
        assert.equal(put.status, 200, put.body);
        await noneRuns(engine, name);
        assert.equal((await gantry.ask(host, path)).body, 'kept');
        const { usedBytes } = await functions.project<{ usedBytes: number }>(
          'GET',
          `/volumes/${name}`,
        );
        assert.ok(usedBytes >= 4_096 && usedBytes < 100_000, `${usedBytes}`);
      }
    },
  },
});
