import { readFile } from 'node:fs/promises';
import type { EngineInfo } from './capabilities.ts';

/** Whether the engine's storage driver takes a size for writable layers ("--storage-opt" in Docker's manual). */
export async function hasDiskQuota(info: EngineInfo, local: boolean): Promise<boolean> {
  if (info.Driver === 'btrfs' || info.Driver === 'zfs') return true;
  const backing = (info.DriverStatus ?? []).find(([name]) => name === 'Backing Filesystem')?.[1];
  if (info.Driver !== 'overlay2' || backing !== 'xfs' || !local) return false;
  const mounts = await readFile('/proc/self/mountinfo', 'latin1').catch(() => '');
  return hasProjectQuota(mounts, info.DockerRootDir);
}

/** Of the mount that holds the folder (proc_pid_mountinfo(5)). */
export function hasProjectQuota(mounts: string, folder: string): boolean {
  let [longest, found] = [0, false];
  for (const line of mounts.split('\n')) {
    const [before, after] = line.split(' - ');
    const at = before?.split(' ')[4];
    if (!at || after === undefined) continue;
    const holds = at === '/' || folder === at || folder.startsWith(`${at}/`);
    // A later mount lies over an earlier one.
    if (!holds || at.length < longest) continue;
    longest = at.length;
    found = after.split(/[ ,]/).some((option) => option === 'prjquota' || option === 'pquota');
  }
  return found;
}
