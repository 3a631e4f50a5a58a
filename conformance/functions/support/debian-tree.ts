/**
 * A small Debian with nginx, made once by debootstrap from the mirror that the machine's own apt uses, and kept in
 * the tools' cache as one tar: the layer below real servers. What is running needs is there, what people read is not.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Image } from '../../clients/support/images.ts';
import { type TarEntry, tar } from '../../clients/support/tar.ts';
import { cacheFolder } from '../../tools/cache.ts';
import { imageOf } from './images.ts';

const packages = ['nginx-light', 'libatomic1'];
const unread = [
  ...['var/cache/apt', 'var/lib/apt', 'var/log', 'usr/share/doc', 'usr/share/man'],
  ...['usr/share/locale', 'usr/share/i18n', 'usr/share/zoneinfo', 'usr/share/info'],
];

/** Why there is none: the reason of a skip. */
export function needsDebianTree(): string | undefined {
  if (existsSync(place())) return undefined;
  if (process.getuid?.() !== 0) return 'debootstrap needs root';
  if (spawnSync('debootstrap', ['--version']).error) return 'debootstrap is not installed';
  return 'missing' in mirror() ? 'apt knows no mirror of this Debian' : undefined;
}

/** As a tar. */
export async function debianTree(): Promise<Buffer> {
  if (!existsSync(place())) await make();
  return readFileSync(place());
}

/** nginx as Debian has it; `conf` goes into the place of its default site. */
export async function nginxImage(conf: string): Promise<Image> {
  const site = tar([
    { name: 'etc/nginx/sites-enabled/default', bytes: Buffer.from(conf), mode: 0o644 },
    { name: 'var/log/nginx/', mode: 0o755 },
  ]);
  return imageOf([await debianTree(), site], {
    entrypoint: ['nginx'],
    cmd: ['-g', 'daemon off; error_log /dev/stderr info;'],
  });
}

/** The Node that runs this, with what a server of ours consists of. */
export async function nodeImage(
  files: readonly TarEntry[],
  command: readonly string[],
  options: { readonly user?: string } = {},
): Promise<Image> {
  const node = readFileSync(process.execPath);
  const layers = [
    await debianTree(),
    tar([{ name: 'usr/local/bin/node', bytes: node, mode: 0o755 }]),
    tar(files),
  ];
  return imageOf(layers, {
    entrypoint: ['/usr/local/bin/node'],
    cmd: command,
    workingDir: '/app',
    ...options,
  });
}

async function make(): Promise<void> {
  const found = mirror();
  if ('missing' in found) throw new Error(found.missing);
  const target = place();
  mkdirSync(dirname(target), { recursive: true });
  const folder = mkdtempSync(join(dirname(target), 'debian-tree.'));
  try {
    const tree = join(folder, 'tree');
    const include = `--include=${packages.join(',')}`;
    await run('debootstrap', ['--variant=minbase', include, found.release, tree, found.site]);
    for (const path of unread) rmSync(join(tree, path), { recursive: true, force: true });
    const archive = join(folder, 'tree.tar');
    await run('tar', ['-C', tree, '--numeric-owner', '--exclude=./dev/*', '-cf', archive, '.']);
    renameSync(archive, target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What apt itself fetches packages of this release from. */
function mirror(): { site: string; release: string } | { missing: string } {
  const release = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const format = ['indextargets', '--format', '$(SITE) $(RELEASE) $(COMPONENT)'];
  const { stdout } = spawnSync('apt-get', [...format, 'Created-By: Packages'], {
    encoding: 'utf8',
  });
  const found = (stdout ?? '').split('\n').find((line) => line.endsWith(` ${release} main`));
  const site = found?.split(' ')[0];
  return site && release ? { site, release } : { missing: 'apt knows no mirror of this Debian' };
}

function place(): string {
  const release = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  return join(cacheFolder(), `debian-tree-${release}-${packages.join('-')}.tar`);
}

function run(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      said = (said + bytes).slice(-2_000);
    });
  }
  const timer = setTimeout(() => child.kill('SIGTERM'), 10 * 60_000);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(new Error(`${program} exited ${code}: ${said}`));
    });
  });
}
