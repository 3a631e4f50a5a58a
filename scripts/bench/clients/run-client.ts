import { type ExecFileException, execFile } from 'node:child_process';
import { join } from 'node:path';

/** Runs a client of this folder in a process of its own, and gives what it printed, read as JSON. */
export function runClient<T>(file: string, order: object, timeoutMs = 300_000): Promise<T> {
  const path = join(import.meta.dirname, file);
  return runProgram(process.execPath, [path, JSON.stringify(order)], timeoutMs).then(
    (text) => JSON.parse(text) as T,
  );
}

/** Standard output; rejects with what the program said where it did not end well. */
export function runProgram(
  program: string,
  args: readonly string[],
  timeoutMs = 300_000,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string) => {
      if (!error) return resolve(stdout);
      const said = stderr.trim().slice(-500) || error.message;
      reject(new Error(`${program} ${args[0] ?? ''}: ${said}`));
    };
    execFile(program, [...args], { timeout: timeoutMs, maxBuffer: 16 << 20, env }, done);
  });
}
