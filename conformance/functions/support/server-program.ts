/** The program in the images: ../server, built once by the machine's Go and kept in the tools' cache. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../tools/cache.ts';

const sources = join(import.meta.dirname, '..', 'server');

/** Why there is none: the reason of a skip. */
export function needsServerProgram(): string | undefined {
  if (existsSync(place())) return undefined;
  return spawnSync('go', ['version']).status === 0 ? undefined : 'there is no go on PATH';
}

/** Its bytes. Builds it where it is not there, or is of other sources. */
export function serverProgram(): Buffer {
  const path = place();
  if (!existsSync(path)) build(path);
  return readFileSync(path);
}

function build(path: string): void {
  mkdirSync(join(path, '..'), { recursive: true });
  const made = mkdtempSync(`${path}.`);
  const { status, stderr } = spawnSync(
    'go',
    ['build', '-trimpath', '-ldflags', '-s -w', '-o', join(made, 'server'), '.'],
    {
      cwd: sources,
      encoding: 'utf8',
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false', GOWORK: 'off' },
    },
  );
  if (status === 0) renameSync(join(made, 'server'), path);
  rmSync(made, { recursive: true, force: true });
  if (status !== 0) throw new Error(`go build of the test server: ${stderr}`);
}

function place(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(sources).sort()) {
    hash.update(`${name}\n`).update(readFileSync(join(sources, name)));
  }
  return join(cacheFolder(), `function-server-${hash.digest('hex').slice(0, 12)}`);
}
