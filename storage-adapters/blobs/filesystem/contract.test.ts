import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { blobStoreContract, type Subject } from '../../contract/blob-store.ts';
import { createFilesystemBlobStore } from './store.ts';

const folder = await mkdtemp(join(tmpdir(), 'gantry-blobs-'));
after(() => rm(folder, { recursive: true, force: true }));

const subject: Subject = {
  open: () => createFilesystemBlobStore({ folder }),
  unit: 1 << 20,
  unfinishedShows: 'from the first byte',
  held: async () => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries.flatMap((entry) => (entry.isDirectory() ? [] : [entry.name])).sort();
  },
  clear: () => rm(folder, { recursive: true, force: true }),
  openDescriptors: async () => {
    if (process.platform !== 'linux') return [];
    const names = await readdir('/proc/self/fd');
    const targets = await Promise.all(
      names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')),
    );
    return targets.filter((target) => target.startsWith(folder));
  },
};

blobStoreContract('blobs on the filesystem', () => subject);
