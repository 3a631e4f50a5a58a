import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RuntimeError, type VolumeSpec } from '../../../../src/ports/runtime-driver.ts';
import { findProgram } from '../../../tools/cache.ts';
import { findVersitygw, startVersitygw } from '../../../tools/versitygw.ts';
import { until } from '../../support/until.ts';
import type { Attack } from './attacks.ts';
import type { Scope } from './inside.ts';

function needsBuckets(): string | undefined {
  const found = [findProgram('rclone'), findVersitygw()].find((one) => 'missing' in one);
  if (found && 'missing' in found) return found.missing;
  if (!existsSync('/dev/fuse')) return '/dev/fuse is not there';
  return existsSync('/usr/bin/fusermount3') ? undefined : 'fuse3 is not installed';
}

async function ensure(scope: Scope, spec: VolumeSpec): Promise<void> {
  const { volumes } = await scope.inside.driver();
  await volumes.ensure(spec);
  scope.defer(() => volumes.remove(spec.name));
}

const isFailure = (failure: string) => (error: unknown) =>
  error instanceof RuntimeError && error.failure === failure;

const write = (path: string, body: string) =>
  [`/file?path=${path}`, { method: 'PUT', body }] as const;

export const volumes: Readonly<Record<string, Attack>> = {
  'A disk volume lasts, and is of its project alone': {
    async run(scope) {
      const driver = await scope.inside.driver();
      await ensure(scope, { name: 'vol_disk', projectId: 'one', source: { kind: 'disk' } });
      const mounts = [{ volume: 'vol_disk', path: '/kept', readOnly: false }];
      const first = await scope.run('one', { mounts });
      assert.equal((await first.ask(...write('/kept/x', 'kept'))).status, 200);
      await assert.rejects(driver.volumes.remove('vol_disk'), isFailure('in-use'));
      await driver.remove(first.id);
      const second = await scope.run('one', { mounts: [{ ...mounts[0]!, readOnly: true }] });
      assert.equal((await second.ask('/file?path=/kept/x')).body, 'kept');
      assert.equal((await second.ask(...write('/kept/y', 'no'))).status, 409);
      for (const volume of ['vol_disk', 'vol_absent']) {
        const stolen = scope.create('other', { mounts: [{ ...mounts[0]!, volume }] });
        await assert.rejects(stolen, isFailure('invalid-spec'), volume);
      }
      const taken = { name: 'vol_disk', projectId: 'other', source: { kind: 'disk' } } as const;
      await assert.rejects(driver.volumes.ensure(taken), isFailure('invalid-spec'));
    },
  },
  'A bucket volume shows its prefix, survives a crash of rclone, and is unmounted in the end': {
    obstacle: needsBuckets,
    async run(scope) {
      const { folder } = scope.inside.place;
      const program = findVersitygw();
      assert.ok('path' in program);
      const objects = join(folder, 's3');
      const s3 = await startVersitygw({ program: program.path, folder: objects });
      scope.defer(() => s3.stop());
      const source = {
        ...({
          kind: 'bucket',
          endpoint: s3.endpoint,
          region: s3.region,
          bucket: s3.bucket,
        } as const),
        ...{ prefix: 'a/b/', ...s3.credentials },
      };
      await ensure(scope, { name: 'vol_bucket', projectId: 'one', source });
      const running = await scope.run('one', {
        mounts: [
          { volume: 'vol_bucket', path: '/objects', readOnly: false },
          { volume: 'vol_bucket', path: '/seen', readOnly: true },
        ],
      });
      const stored = (name: string) =>
        until(() => {
          const path = join(objects, s3.bucket, 'a/b', name);
          return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
        }, `${name} is an object`);
      assert.equal((await running.ask(...write('/objects/x', 'one'))).status, 200);
      assert.equal(await stored('x'), 'one');
      const place = join(folder, 'buckets', 'vol_bucket');
      const pid = () => Number(readFileSync(join(place, 'pid'), 'utf8'));
      for (const round of ['y', 'z']) {
        const before = pid();
        process.kill(before, 'SIGKILL');
        await until(
          async () => (await running.ask('/file?path=/objects/x')).body === 'one' || undefined,
          'the running instance sees it again',
          { withinMs: 20_000 },
        );
        assert.notEqual(pid(), before);
        assert.equal((await running.ask(...write(`/objects/${round}`, round))).status, 200);
        assert.equal(await stored(round), round);
        assert.equal((await running.ask('/file?path=/seen/x')).body, 'one');
        assert.equal((await running.ask(...write('/seen/no', 'no'))).status, 409, 'read-only');
      }
      const words = readFileSync(`/proc/${pid()}/cmdline`, 'utf8');
      assert.ok(!words.includes(s3.credentials.secretAccessKey), 'the secret is in no argument');
      const { volumes } = await scope.inside.driver();
      await assert.rejects(volumes.remove('vol_bucket'), isFailure('in-use'));
      const driver = await scope.inside.driver();
      await driver.remove(running.id);
      await volumes.remove('vol_bucket');
      assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes('vol_bucket'));
      assert.ok(!existsSync(place));
      assert.deepEqual(readdirSync(join(objects, s3.bucket, 'a/b')).sort(), ['x', 'y', 'z']);
    },
  },
};
