import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Inspected } from './inspected.ts';

/** An anonymous volume: made for a VOLUME of the image, gone with the container. */
const anonymous = /^[0-9a-f]{64}$/;

/**
 * Bytes that the instance wrote, as the engine counts its layer, and those in the volumes that its image
 * declares: they are of the instance, too, and are no way round the limit.
 */
export async function writableBytesOf(inspected: Inspected, local: boolean): Promise<number> {
  const volumes = (inspected.Mounts ?? []).filter(
    (mount) => mount.Type === 'volume' && anonymous.test(mount.Name ?? ''),
  );
  const sizes = local ? volumes.map((volume) => diskUsage(volume.Source)) : [];
  const held = await Promise.all(sizes);
  return held.reduce((sum, size) => sum + size, inspected.SizeRw ?? 0);
}

/** Bytes on the disk of all below a folder, links counted once and not followed; what vanishes meanwhile counts 0. */
export async function diskUsage(folder: string): Promise<number> {
  const linked = new Set<number>();
  const open = [folder];
  let bytes = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    try {
      for await (const entry of await opendir(next, { bufferSize: 256 })) {
        const path = join(next, entry.name);
        if (entry.isDirectory()) open.push(path);
        const stat = await lstat(path).catch(() => undefined);
        if (!stat) continue;
        if (stat.nlink > 1 && !entry.isDirectory()) {
          if (linked.has(stat.ino)) continue;
          linked.add(stat.ino);
        }
        bytes += stat.blocks * 512;
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return bytes;
}
