/** Builds one pinned Go tool into the cache. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { moduleFolder, toolFolder } from './cache.ts';
import type { GoTool } from './pins.ts';

const buildLimit = 15 * 60_000;

/** Resolves where the programs are in their place; rejects with the builder's last lines. */
export async function buildTool(tool: GoTool, go: string): Promise<void> {
  const folder = toolFolder(tool);
  mkdirSync(dirname(folder), { recursive: true });
  const made = mkdtempSync(`${folder}.`);
  try {
    const variables = Object.entries(tool.variables ?? {}).map(
      ([name, text]) => `-X ${name}=${text}`,
    );
    await run(
      go,
      [
        'build',
        ...(tool.tags ? ['-tags', tool.tags] : []),
        '-ldflags',
        ['-s', '-w', ...variables].join(' '),
        '-o',
        `${made}/`,
        ...tool.packages,
      ],
      moduleFolder(tool),
    );
    rmSync(folder, { recursive: true, force: true });
    renameSync(made, folder);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    throw error;
  }
}

function run(program: string, args: string[], cwd: string): Promise<void> {
  // The user's own module settings must not change what is built.
  const env = { ...process.env, GOFLAGS: '-mod=readonly -buildvcs=false', GOWORK: 'off' };
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let tail = '';
  child.stderr.on('data', (bytes: Buffer) => {
    tail = (tail + bytes).slice(-2000);
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), buildLimit);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return resolve();
      const why = signal
        ? `stopped after ${buildLimit / 60_000} minutes`
        : `go build exited ${code}`;
      const lines = tail.split('\n').filter((line) => line && !line.startsWith('go: downloading'));
      reject(new Error([why, ...lines.slice(-3)].join(': ')));
    });
  });
}
