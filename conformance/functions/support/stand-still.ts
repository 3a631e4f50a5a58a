import { readdirSync, readFileSync } from 'node:fs';
import { until } from './until.ts';

/**
 * Stops a process with SIGSTOP, and resolves once each of its threads stands. The signal stops none of them before one
 * that takes it has run, which on a busy machine may be after others have answered something.
 */
export async function standStill(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const stands = () => threadStates(pid).every((state) => state === 'T') || undefined;
  await until(stands, `process ${pid} stands still`, { withinMs: 10_000, everyMs: 1 });
}

/** A letter each, as proc(5) has them. */
function threadStates(pid: number): string[] {
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder).flatMap((thread) => {
    try {
      const line = readFileSync(`${folder}/${thread}/stat`, 'latin1');
      return line.slice(line.lastIndexOf(')') + 2, line.lastIndexOf(')') + 3);
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}
