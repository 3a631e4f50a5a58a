import assert from 'node:assert/strict';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { cgroupFolder, upperFolder, writtenBytes } from './layer-usage.ts';

test("A container's upper folder is that of the overlay on its root", () => {
  const text = [
    '70 52 0:38 / /proc rw - proc proc rw',
    '71 52 0:40 / /other rw - overlay overlay rw,lowerdir=/x,upperdir=/not/this,workdir=/y',
    '77 52 0:39 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/a:/b,upperdir=/data/my\\040disk/fs,workdir=/w',
  ].join('\n');
  assert.equal(upperFolder(text), '/data/my disk/fs');
  assert.equal(upperFolder('77 52 0:39 / / rw - btrfs /dev/sda rw'), undefined);
});

test('Its cgroup is found on both versions', () => {
  const first = '12:cpu,cpuacct:/docker/abc\n8:pids:/docker/abc\n0::/other\n';
  assert.equal(cgroupFolder(first), '/sys/fs/cgroup/pids/docker/abc');
  const second = '0::/system.slice/docker-abc.scope\n';
  assert.equal(cgroupFolder(second), '/sys/fs/cgroup/system.slice/docker-abc.scope');
  assert.equal(cgroupFolder(''), undefined);
});

test('What is written is counted on the disk: folders, and files beside them', async () => {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'gantry-layer-'));
  stack.defer(() => rm(folder, { recursive: true }));
  const beside = `${folder}-hosts`;
  stack.defer(() => rm(beside, { force: true }));
  const layer = { pid: process.pid, folders: [folder], files: [beside, '/no/such/file'] };
  const empty = await writtenBytes(layer, { open: false });
  await writeFile(join(folder, 'one'), Buffer.alloc(3 << 20, 1));
  await writeFile(beside, Buffer.alloc(1 << 20, 1));
  const sparse = await open(join(folder, 'sparse'), 'w');
  await sparse.truncate(1 << 30);
  await sparse.close();
  const grown = (await writtenBytes(layer, { open: false })) - empty;
  assert.ok(grown >= 4 << 20 && grown < 5 << 20, `${grown}`);
});
