/**
 * What a running container has written, measured on this machine: its overlay's upper folder, files that were
 * deleted and are still open in it, and the files that the engine itself mounts into each (a container may
 * write into its /etc/hosts, which lies on the host's disk).
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface WritableLayer {
  /** Its first process, on this machine. */
  readonly pid: number;
  /** The upper folder of its overlay, and of volumes that its image declares. */
  readonly folders: readonly string[];
  /** Of the engine, mounted into it writable. */
  readonly files: readonly string[];
}

/** A process has more: what is beyond is not looked at. */
const mostOpenFiles = 20_000;
const duMs = 30_000;

/** Undefined where that cannot be told: it is no overlay, or the process is not to be seen. */
export async function findLayer(
  pid: number,
  beside: { readonly files: readonly string[]; readonly folders: readonly string[] },
): Promise<WritableLayer | undefined> {
  const text = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
  const upper = upperFolder(text);
  if (upper === undefined) return undefined;
  return { pid, folders: [upper, ...beside.folders], files: beside.files };
}

/** The upper folder of what is mounted on `/`, from /proc/<pid>/mountinfo. */
export function upperFolder(mountinfo: string): string | undefined {
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [type, , options = ''] = after.split(' ');
    if (before.split(' ')[4] !== '/' || type !== 'overlay') continue;
    const option = options.split(',').find((one) => one.startsWith('upperdir='));
    if (option) return unescaped(option.slice('upperdir='.length));
  }
  return undefined;
}

/** Bytes on the disk. `open`: deleted files that are held open count, too. */
export async function writtenBytes(
  layer: WritableLayer,
  options: { readonly open: boolean },
): Promise<number> {
  const [folders, files, open] = await Promise.all([
    Promise.all(layer.folders.map(folderBytes)),
    Promise.all(layer.files.map(fileBytes)),
    options.open ? deletedBytes(layer.pid) : 0,
  ]);
  return [...folders, ...files].reduce((sum, bytes) => sum + bytes, open);
}

/**
 * By `du`, which is many times faster than a walk in this process, does not hold up its disk threads, and
 * counts a file with several names once.
 */
export function folderBytes(folder: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('du', ['-skx', '--', folder], {
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: duMs,
      killSignal: 'SIGKILL',
    });
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => {
      output += bytes;
    });
    child.once('error', reject);
    // Files that vanish meanwhile make it fail, with the sum of the others.
    child.once('close', (_code, signal) => {
      const kilobytes = /^(\d+)\s/.exec(output)?.[1];
      if (kilobytes !== undefined) return resolve(Number(kilobytes) * 1024);
      // It ended with its instance.
      if (!existsSync(folder)) return resolve(0);
      reject(new Error(`du did not measure ${folder}${signal ? `: ${signal}` : ''}`));
    });
  });
}

async function fileBytes(path: string): Promise<number> {
  return ((await stat(path).catch(() => undefined))?.blocks ?? 0) * 512;
}

/** Each counts once, however many processes hold it. Others' file systems (shared memory) do not count. */
async function deletedBytes(pid: number): Promise<number> {
  const device = (await stat(`/proc/${pid}/root/`).catch(() => undefined))?.dev;
  const found = new Map<number, number>();
  let looked = 0;
  for (const one of await processesBeside(pid)) {
    const folder = `/proc/${one}/fd`;
    for (const name of await readdir(folder).catch(() => [])) {
      if (++looked > mostOpenFiles) break;
      const path = join(folder, name);
      const target = await readlink(path).catch(() => '');
      if (!target.endsWith(' (deleted)')) continue;
      const info = await stat(path).catch(() => undefined);
      if (info?.isFile() && info.nlink === 0 && info.dev === device)
        found.set(info.ino, info.blocks * 512);
    }
  }
  return [...found.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** All in its cgroup. */
async function processesBeside(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  const folder = cgroupFolder(text);
  if (folder === undefined) return [pid];
  const listed = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '');
  const pids = listed.split('\n').filter(Boolean).map(Number);
  return pids.length > 0 ? pids : [pid];
}

/** Of /proc/<pid>/cgroup: version 2's only line, else version 1's pids controller. */
export function cgroupFolder(text: string): string | undefined {
  const lines = text.split('\n').map((line) => line.split(':'));
  const first = lines.find(([, controllers]) => controllers?.split(',').includes('pids'));
  if (first) return join('/sys/fs/cgroup/pids', first.slice(2).join(':'));
  const unified = lines.find(([number]) => number === '0');
  return unified && join('/sys/fs/cgroup', unified.slice(2).join(':'));
}

/** mountinfo writes spaces and such as octal numbers. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
