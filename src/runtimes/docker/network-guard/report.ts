import { mkdir, open, rename, writeFile } from 'node:fs/promises';
import type { GuardStatus } from './guard.ts';

/** What the helper tells a Gantry that is not root: a file that only root can write. */
export interface GuardReport extends GuardStatus {
  /** Digest of the rules that it keeps. */
  readonly rules: string;
}

const folder = '/run/gantry';
/** A helper that does not look any more does not guard. */
const freshMs = 60_000;

const fileOf = (table: string) => `${folder}/${table}.json`;

export async function writeReport(table: string, report: GuardReport): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const draft = `${fileOf(table)}.${process.pid}`;
  await writeFile(draft, JSON.stringify(report), { mode: 0o644 });
  await rename(draft, fileOf(table));
}

/** Undefined where there is none that is fresh and of root's. `now`: UTC milliseconds. */
export async function readReport(table: string, now: number): Promise<GuardReport | undefined> {
  try {
    await using file = await open(fileOf(table));
    const { uid, mode, mtimeMs } = await file.stat();
    if (uid !== 0 || (mode & 0o022) !== 0 || mtimeMs < now - freshMs) return undefined;
    const report = JSON.parse(await file.readFile('utf8')) as GuardReport;
    return { rules: report.rules, proven: report.proven === true, missing: report.missing };
  } catch {
    return undefined;
  }
}
